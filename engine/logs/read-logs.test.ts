import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parseInstant, type Instant } from '../model/time.ts';
import { JsonFileWriter } from './json-file-writer.ts';
import type { LogFilePlan } from './log-plan.ts';
import { readLogs, type LogRecord, type ReadLogsOptions } from './read-logs.ts';

describe('reading a json-file', () => {
  let folder: string;
  let plan: LogFilePlan;
  let now: Instant;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-read-'));
    plan = { driver: 'json-file', path: join(folder, 'c-json.log'), maxSizeBytes: 1_000_000, maxFiles: 3 };
    now = parseInstant('2026-01-01T00:00:00Z') ?? 0n;
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const writer = (): JsonFileWriter => new JsonFileWriter(plan, () => (now += 1_000_000_000n));
  const options = (more: Partial<ReadLogsOptions> = {}): ReadLogsOptions => ({
    plan,
    streams: ['stdout', 'stderr'],
    tail: null,
    since: null,
    until: null,
    follow: null,
    signal: new AbortController().signal,
    ...more,
  });
  async function read(more: Partial<ReadLogsOptions> = {}): Promise<readonly string[]> {
    const records: LogRecord[] = [];
    for await (const batch of readLogs(options(more))) records.push(...batch);
    return records.map(({ payload }) => payload.toString());
  }
  async function* singly(given: ReadLogsOptions): AsyncGenerator<LogRecord, void, void> {
    for await (const batch of readLogs(given)) yield* batch;
  }
  const lines = (from: number, to: number): string[] =>
    Array.from({ length: to - from }, (_, at) => `line ${from + at}\n`);
  function writeLines(count: number): void {
    using log = writer();
    for (const line of lines(0, count)) log.write('stdout', Buffer.from(line));
  }

  it('gives all records with stream and time', async () => {
    using log = writer();
    log.write('stdout', Buffer.from('one\n'));
    log.write('stderr', Buffer.from('two\n'));
    const records: LogRecord[] = [];
    for await (const batch of readLogs(options())) records.push(...batch);
    expect(records.map((record) => ({ ...record, time: record.time }))).toEqual([
      {
        stream: 'stdout',
        timeText: '2026-01-01T00:00:01.000000001Z',
        time: parseInstant('2026-01-01T00:00:01.000000001Z'),
        payload: Buffer.from('one\n'),
        startsLine: true,
        attributes: null,
      },
      {
        stream: 'stderr',
        timeText: '2026-01-01T00:00:02.000000001Z',
        time: parseInstant('2026-01-01T00:00:02.000000001Z'),
        payload: Buffer.from('two\n'),
        startsLine: true,
        attributes: null,
      },
    ]);
    expect(await read({ streams: ['stderr'] })).toEqual(['two\n']);
  });

  it('joins the parts of a long line, and gives a last line without its end', async () => {
    using log = writer();
    const long = `${'x'.repeat(50_000)}\n`;
    log.write('stdout', Buffer.from(long));
    log.write('stdout', Buffer.from('unfinished'));
    log.finish();
    expect(await read()).toEqual([long, 'unfinished']);
    expect(await read({ tail: 1 })).toEqual(['unfinished']);
    expect(await read({ tail: 2 })).toEqual([long, 'unfinished']);
  });

  it('gives a line that is too long to hold in pieces', async () => {
    using log = writer();
    log.write('stdout', Buffer.from(`${'x'.repeat(2_500_000)}\n`));
    plan = { ...plan, maxSizeBytes: 10_000_000 };
    using roomy = writer();
    roomy.write('stdout', Buffer.from(`${'y'.repeat(2_500_000)}\n`));
    const pieces: [number, boolean][] = [];
    for await (const { payload, startsLine } of singly(options())) {
      if (payload[0] === 0x79) pieces.push([payload.length, startsLine]);
    }
    expect(pieces.map(([, startsLine]) => startsLine)).toEqual([true, false, false]);
    expect(pieces.reduce((sum, [length]) => sum + length, 0)).toBe(2_500_001);
  });

  it.each([0, 1, 5, 99, 100, 500])('gives the last %i lines', async (tail) => {
    writeLines(100);
    expect(await read({ tail })).toEqual(lines(Math.max(0, 100 - tail), 100));
  });

  it('counts only lines of the streams that are asked for', async () => {
    using log = writer();
    for (let at = 0; at < 10; at += 1) log.write(at % 2 === 0 ? 'stdout' : 'stderr', Buffer.from(`line ${at}\n`));
    expect(await read({ tail: 2, streams: ['stdout'] })).toEqual(['line 6\n', 'line 8\n']);
  });

  it('reads, counts and compares times across rotated files', async () => {
    plan = { ...plan, maxSizeBytes: 2000, maxFiles: 4 };
    writeLines(80);
    const all = await read();
    expect(all).toEqual(lines(80 - all.length, 80));
    expect(all.length).toBeGreaterThan(70);
    expect(await read({ tail: 60 })).toEqual(lines(20, 80));
    expect(
      await read({ since: parseInstant('2026-01-01T00:00:31Z'), until: parseInstant('2026-01-01T00:00:52Z') }),
    ).toEqual(lines(30, 51));
  });

  it('passes over what is no record', async () => {
    using log = writer();
    log.write('stdout', Buffer.from('one\n'));
    appendFileSync(plan.path, '{"log":"cut off\n\n[]\n{"log":1,"stream":"stdout","time":"x"}\n');
    log.write('stdout', Buffer.from('two\n'));
    expect(await read()).toEqual(['one\n', 'two\n']);
  });

  it('is empty when there is no log, and says so for the driver that keeps none', async () => {
    expect(await read()).toEqual([]);
    await expect(read({ plan: { driver: 'none' } })).rejects.toMatchObject({
      kind: 'not-implemented',
      message: 'configured logging driver does not support reading',
    });
  });

  const compressed = (index: number): boolean => existsSync(`${plan.path}.${index}.gz`);
  const untilCompressed = (): Promise<void> =>
    vi.waitFor(() => expect(existsSync(`${plan.path}.1`)).toBe(false), { timeout: 20_000 });

  it('reads compressed files as if they were not', async () => {
    plan = { ...plan, maxSizeBytes: 2000, maxFiles: 4, compresses: true };
    using log = writer();
    for (const line of lines(0, 80)) {
      log.write('stdout', Buffer.from(line));
      await untilCompressed();
    }
    expect([1, 2, 3, 4].map(compressed)).toEqual([true, true, true, false]);
    const all = await read();
    expect(all).toEqual(lines(80 - all.length, 80));
    expect(all.length).toBeGreaterThan(70);
    expect(await read({ tail: 60 })).toEqual(lines(20, 80));
    expect(await read({ since: parseInstant('2026-01-01T00:00:31Z'), tail: 3 })).toEqual(lines(77, 80));
  });

  it('goes on with a file that a killed writer was compressing', async () => {
    plan = { ...plan, maxSizeBytes: 2000, maxFiles: 3, compresses: true };
    writeLines(50);
    await untilCompressed();
    const before = await read();
    writeFileSync(`${plan.path}.1.gz.new`, 'half');
    using log = writer();
    expect(existsSync(`${plan.path}.1.gz.new`)).toBe(false);
    log.write('stdout', Buffer.from('new\n'));
    expect(await read()).toEqual([...before, 'new\n']);
  });

  it('gives the attributes of records, and tells streams apart whatever those are called', async () => {
    plan = { ...plan, attributes: { tag: 't', stream: 'stderr', b: 'x,"y"' } };
    using log = writer();
    log.write('stdout', Buffer.from('one\ntwo\n'));
    expect(readFileSync(plan.path, 'utf8').split('\n')[0]).toBe(
      '{"log":"one\\n","stream":"stdout","attrs":{"b":"x,\\"y\\"","stream":"stderr","tag":"t"},"time":"2026-01-01T00:00:01.000000001Z"}',
    );
    expect(await read({ tail: 1, streams: ['stdout'] })).toEqual(['two\n']);
    expect(await read({ tail: 1, streams: ['stderr'] })).toEqual([]);
    for await (const { attributes } of singly(options()))
      expect(attributes).toEqual({ b: 'x,"y"', stream: 'stderr', tag: 't' });
  });

  describe('following', () => {
    it('neither repeats nor leaves out a line when the file that it reads is compressed', async () => {
      plan = { ...plan, maxSizeBytes: 1500, maxFiles: 3, compresses: true };
      const ended = new AbortController();
      using log = writer();
      const seen: string[] = [];
      log.write('stdout', Buffer.from('line 0\n'));
      for await (const { payload } of singly(options({ follow: { containerEnded: ended.signal } }))) {
        seen.push(payload.toString());
        await untilCompressed();
        if (seen.length === 200) ended.abort();
        else log.write('stdout', Buffer.from(`line ${seen.length}\n`));
      }
      expect(seen).toEqual(lines(0, 200));
    });

    it('gives lines as they come, until the container has ended, and none twice or never across rotations', async () => {
      plan = { ...plan, maxSizeBytes: 3000, maxFiles: 2 };
      const ended = new AbortController();
      using log = writer();
      const seen: string[] = [];
      let next = 0;
      const more = (): void => {
        for (const line of lines(next, next + 10)) log.write('stdout', Buffer.from(line));
        next += 10;
      };
      more();
      for await (const { payload } of singly(options({ follow: { containerEnded: ended.signal } }))) {
        seen.push(payload.toString());
        if (seen.length === 300) {
          log.write('stdout', Buffer.from('the last'));
          log.finish();
          ended.abort();
        } else if (seen.length === next) more();
      }
      expect(seen).toEqual([...lines(0, 300), 'the last']);
    });

    it('survives rotation of a single file', async () => {
      plan = { ...plan, maxSizeBytes: 1500, maxFiles: 1 };
      const ended = new AbortController();
      using log = writer();
      const seen: string[] = [];
      for (const line of lines(0, 5)) log.write('stdout', Buffer.from(line));
      for await (const { payload } of singly(options({ follow: { containerEnded: ended.signal } }))) {
        seen.push(payload.toString());
        if (seen.length === 200) ended.abort();
        else if (seen.length % 5 === 0)
          for (const line of lines(seen.length, seen.length + 5)) log.write('stdout', Buffer.from(line));
      }
      expect(seen).toEqual(lines(0, 200));
    });

    it('begins with new lines only when no old ones are asked for', async () => {
      writeLines(10);
      const ended = new AbortController();
      using log = writer();
      const reading = read({ tail: 0, follow: { containerEnded: ended.signal } });
      await new Promise((resolve) => setImmediate(resolve));
      log.write('stdout', Buffer.from('new\n'));
      ended.abort();
      expect(await reading).toEqual(['new\n']);
    });

    it('waits for a log that is not there yet', async () => {
      const ended = new AbortController();
      const iterator = singly(options({ follow: { containerEnded: ended.signal } }));
      const first = iterator.next();
      using log = writer();
      log.write('stdout', Buffer.from('first\n'));
      expect((await first).value?.payload.toString()).toBe('first\n');
      ended.abort();
      expect((await iterator.next()).done).toBe(true);
    });

    it('ends at once when the reader goes', async () => {
      writeLines(1);
      const reader = new AbortController();
      const iterator = singly(
        options({ follow: { containerEnded: new AbortController().signal }, signal: reader.signal }),
      );
      await iterator.next();
      const waiting = iterator.next();
      reader.abort();
      expect((await waiting).done).toBe(true);
    });
  });
});
