import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { awaitStage, SerialReader, parseSerialLine } from './serial.ts';

describe('a line of the console', () => {
  it.each([
    ['skiff-boot: kernel-ready 1.17', { kind: 'stage', stage: 'kernel-ready', guestSeconds: 1.17 }],
    ['skiff-boot: sshd 3\r', { kind: 'stage', stage: 'sshd', guestSeconds: 3 }],
    [
      'skiff-boot: failed data 2.5 the data disk is not empty',
      { kind: 'failed', stage: 'data', why: 'the data disk is not empty' },
    ],
    [
      '[    1.234567] Kernel panic - not syncing: No init',
      { kind: 'panic', line: 'Kernel panic - not syncing: No init' },
    ],
    [
      '[ 1.0] BUG: unable to handle page fault for address: 0',
      { kind: 'panic', line: 'BUG: unable to handle page fault for address: 0' },
    ],
    ['skiff-boot: late sshd', null],
    ['something skiff-boot: sshd 3', null],
    ['', null],
  ])('%j', (line, expected) => {
    expect(parseSerialLine(line)).toEqual(expected);
  });
});

describe('reading a console as it grows', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-serial-'));
    path = join(folder, 'serial.log');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('finds nothing in a log that is not there yet', async () => {
    const reader = new SerialReader(path);
    expect([await reader.read(), reader.byteCount, reader.lastLines]).toEqual([[], 0, []]);
  });

  it('waits for the rest of a line, wherever it is cut', async () => {
    const whole = 'noise\r\nskiff-boot: data 1.5\r\nskiff-boot: sshd 2.5\r\n';
    for (let cut = 0; cut <= whole.length; cut++) {
      await writeFile(path, whole.slice(0, cut));
      const reader = new SerialReader(path);
      const first = await reader.read();
      await appendFile(path, whole.slice(cut));
      const stages = [...first, ...(await reader.read())].map((event) =>
        event.kind === 'stage' ? event.stage : event.kind,
      );
      expect(stages).toEqual(['data', 'sshd']);
    }
  });

  it('keeps the newest lines for an error message, the unfinished one too', async () => {
    await writeFile(path, `${Array.from({ length: 30 }, (_, index) => `line ${index}`).join('\n')}\n\nlogin:`);
    const reader = new SerialReader(path);
    await reader.read();
    expect(reader.lastLines).toEqual([...Array.from({ length: 20 }, (_, index) => `line ${index + 10}`), 'login:']);
  });

  it('is not troubled by bytes that are no text', async () => {
    await writeFile(path, Buffer.concat([Buffer.from([0xff, 0xfe, 0x00, 0x0a]), Buffer.from('skiff-boot: sshd 1\n')]));
    expect(await new SerialReader(path).read()).toEqual([{ kind: 'stage', stage: 'sshd', guestSeconds: 1 }]);
  });

  it('tells when a stage is reached, also one that was long ago', async () => {
    const signal = AbortSignal.timeout(10_000);
    await writeFile(path, 'skiff-boot: sshd 1\n');
    const ready = awaitStage(path, { stage: 'ready', timeoutMs: 10_000, signal });
    await appendFile(path, 'skiff-boot: ready 2\n');
    expect(await ready).toBe(true);
    expect(await awaitStage(path, { stage: 'sshd', timeoutMs: 0, signal })).toBe(true);
  });

  it('does not wait for ever for a stage, nor for a log', async () => {
    const wanted = { stage: 'ready', timeoutMs: 30, signal: AbortSignal.timeout(10_000) };
    expect(await awaitStage(path, wanted)).toBe(false);
    await writeFile(path, 'skiff-boot: sshd 1\n');
    expect(await awaitStage(path, wanted)).toBe(false);
  });
});
