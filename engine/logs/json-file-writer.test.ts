import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { JsonFileWriter } from './json-file-writer.ts';

describe('writing a json-file', () => {
  let folder: string;
  let path: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-log-'));
    path = join(folder, 'c-json.log');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const noon = 1_800_000_000_000_000_000n;
  const open = (size = 10_000_000, files = 3, now = () => noon): JsonFileWriter =>
    new JsonFileWriter({ driver: 'json-file', path, maxSizeBytes: size, maxFiles: files }, now);
  const text = (): string => readFileSync(path, 'utf8');
  const records = (file = path): { log: string; stream: string; time: string }[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as { log: string; stream: string; time: string });

  it('is byte for byte what docker writes', () => {
    using writer = open();
    writer.write('stdout', Buffer.from('a "b" \\ <c> & \t\r\u001b[0m é \u2028 \n'));
    expect(text()).toBe(
      '{"log":"a \\"b\\" \\\\ \\u003cc\\u003e \\u0026 \\u0009\\r\\u001b[0m é \\u2028 \\n","stream":"stdout","time":"2027-01-15T08:00:00.000000001Z"}\n',
    );
  });

  it('replaces what is not UTF-8, and that alone', () => {
    using writer = open();
    writer.write('stdout', Buffer.from([0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x0a]));
    writer.write('stdout', Buffer.from([0xed, 0xa0, 0x80, 0xf0, 0x9f, 0x98, 0x80, 0x0a]));
    expect(records().map(({ log }) => log)).toEqual(['a\ufffd\ufffd(\ufffd\ufffd\n', '\ufffd\ufffd\ufffd😀\n']);
  });

  it('puts lines together from chunks, each stream for itself', () => {
    using writer = open();
    writer.write('stdout', Buffer.from('one\ntw'));
    writer.write('stderr', Buffer.from('err'));
    writer.write('stdout', Buffer.from('o\n\n'));
    writer.write('stderr', Buffer.from('or\n'));
    expect(records().map(({ log, stream }) => [stream, log])).toEqual([
      ['stdout', 'one\n'],
      ['stdout', 'two\n'],
      ['stdout', '\n'],
      ['stderr', 'error\n'],
    ]);
  });

  it('keeps long lines in parts of 16 KiB and the last line without its newline', () => {
    using writer = open();
    const line = 'x'.repeat(40_000);
    for (let at = 0; at < line.length; at += 7001) writer.write('stdout', Buffer.from(line.slice(at, at + 7001)));
    writer.write('stdout', Buffer.from('\nlast'));
    writer.finish();
    expect(records().map(({ log }) => log.length)).toEqual([16_384, 16_384, 40_000 - 32_768 + 1, 4]);
    expect(
      records()
        .map(({ log }) => log)
        .join(''),
    ).toBe(`${line}\nlast`);
  });

  it('does not tear a character between two parts', () => {
    using writer = open();
    const line = `a${'é'.repeat(20_000)}`;
    writer.write('stdout', Buffer.from(`${line}\n`));
    for (const byte of Buffer.from(`${line}\n`)) writer.write('stderr', Buffer.from([byte]));
    for (const stream of ['stdout', 'stderr']) {
      const parts = records().filter((record) => record.stream === stream);
      expect(parts.map(({ log }) => log).join('')).toBe(`${line}\n`);
      expect(Buffer.byteLength(parts[0]?.log ?? '')).toBe(16_383);
    }
  });

  it('gives every record a time of its own, in Go’s form, that never goes back', () => {
    let now = 1_800_000_000_999_999_998n;
    using writer = open(1e9, 1, () => now);
    writer.write('stdout', Buffer.from('a\nb\n'));
    now -= 5_000_000_000n;
    writer.write('stdout', Buffer.from('c\n'));
    now = 1_800_000_002_120_000_000n - 1n;
    writer.write('stdout', Buffer.from('d\n'));
    expect(records().map(({ time }) => time)).toEqual([
      '2027-01-15T08:00:00.999999999Z',
      '2027-01-15T08:00:01Z',
      '2027-01-15T08:00:01.000000001Z',
      '2027-01-15T08:00:02.12Z',
    ]);
  });

  it('rotates before a file grows beyond its size and keeps as many as it may', () => {
    using writer = open(1000, 3);
    for (let line = 0; line < 60; line += 1) writer.write('stdout', Buffer.from(`line ${line}\n`));
    expect(readdirSync(folder).sort()).toEqual(['c-json.log', 'c-json.log.1', 'c-json.log.2']);
    const files = [`${path}.2`, `${path}.1`, path];
    for (const file of files) expect(readFileSync(file).length).toBeLessThanOrEqual(1000);
    const kept = files.flatMap((file) => records(file)).map(({ log }) => log);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, at) => `line ${60 - kept.length + at}\n`));
    expect(kept.length).toBeGreaterThan(20);
  });

  it('rotates within one chunk, and with a single file begins anew', () => {
    using writer = open(1000, 1);
    writer.write('stdout', Buffer.from(Array.from({ length: 100 }, (_, at) => `line ${at}\n`).join('')));
    expect(readdirSync(folder)).toEqual(['c-json.log']);
    expect(records().at(-1)?.log).toBe('line 99\n');
    expect(text().length).toBeLessThanOrEqual(1000);
  });

  it('goes on with a file that is there', () => {
    open().write('stdout', Buffer.from('first\n'));
    using again = open();
    again.write('stdout', Buffer.from('second\n'));
    expect(records().map(({ log }) => log)).toEqual(['first\n', 'second\n']);
  });
});
