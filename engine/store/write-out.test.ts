import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLog } from '../diagnostics/log.ts';
import { type Database, openDatabase } from './database.ts';
import { type Settle, WriteOut } from './write-out.ts';

describe('what is written out later', () => {
  let folder: string;
  let database: Database;
  let lines: string[];
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'skiff-write-out-'));
    database = openDatabase(folder);
    database.sql.exec('CREATE TABLE things (name TEXT PRIMARY KEY, mark TEXT)');
    lines = [];
  });
  afterEach(() => {
    database[Symbol.dispose]();
    rmSync(folder, { recursive: true });
  });

  const open = (sync: () => Promise<void> = () => Promise.resolve(), bootId = 'this-boot'): WriteOut =>
    new WriteOut({
      database,
      sync,
      bootId,
      log: openLog({ verbosity: 'error', write: (line) => lines.push(line) }),
      reserve: { around: (work) => work() },
    });
  const settle: Settle = (mark, outcome) =>
    void database.sql
      .prepare('UPDATE things SET mark = ? WHERE mark = ?')
      .run(outcome === 'written' ? null : outcome, mark);
  const add = (writeOut: WriteOut, name: string): void =>
    void database.sql.prepare('INSERT INTO things VALUES (?, ?)').run(name, writeOut.mark(settle));
  const marks = (): Record<string, unknown> =>
    Object.fromEntries(
      database.sql
        .prepare('SELECT * FROM things')
        .all()
        .map(({ name, mark }) => [name, mark]),
    );

  it('takes marks when a write-out that began after them has ended, and begins one by itself', async () => {
    const begun: PromiseWithResolvers<void>[] = [];
    await using writeOut = open(() => {
      begun.push(Promise.withResolvers<void>());
      return begun.at(-1)?.promise ?? Promise.resolve();
    });
    await writeOut.settled();
    expect(begun).toHaveLength(0);
    add(writeOut, 'first');
    await expect.poll(() => begun.length, { timeout: 30_000 }).toBe(1);
    add(writeOut, 'second');
    const settled = writeOut.settled();
    begun[0]?.resolve();
    await expect.poll(() => marks()['first']).toBeNull();
    expect(marks()['second']).toMatch(/^this-boot /);
    await expect.poll(() => begun.length).toBe(2);
    begun[1]?.resolve();
    await settled;
    expect(marks()).toEqual({ first: null, second: null });
  });

  it('believes in marks of this boot, which a kill left, and not in those of another', async () => {
    const mark = (bootId: string): string => open(undefined, bootId).mark(settle);
    const left = [mark('this-boot'), mark('boot-before')];
    left.forEach((each, index) => database.sql.prepare('INSERT INTO things VALUES (?, ?)').run(`${index}`, each));
    await using writeOut = open();
    for (const each of left) writeOut.takeUp(each, settle);
    await writeOut.settled();
    expect(marks()).toEqual({ 0: null, 1: 'lost' });
  });

  it('gives up what the disk did not take, and says so', async () => {
    await using writeOut = open(() => Promise.reject(new Error('no disk')));
    let told = 0;
    writeOut.onLost(() => (told += 1));
    add(writeOut, 'one');
    await expect(writeOut.settled()).rejects.toThrow('no disk');
    expect(marks()).toEqual({ one: 'lost' });
    expect(told).toBe(1);
    expect(lines.join('')).toContain('no disk');
    await writeOut.settled();
  });
});
