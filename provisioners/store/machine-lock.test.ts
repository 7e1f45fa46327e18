import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockMachine, readLockHolder, tryLockFile } from './machine-lock.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-locks-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Another process that takes the lock, says so, and keeps it until it is killed. */
async function holder(verb: string): Promise<AsyncDisposable & { readonly pid: number }> {
  const script = `
    import { lockMachine } from ${JSON.stringify(new URL('./machine-lock.ts', import.meta.url).href)};
    await lockMachine({ locksFolder: process.argv[1], name: 'web', verb: process.argv[2] });
    console.log('locked');
    setInterval(() => undefined, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, folder, verb], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return {
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

describe("a machine's lock", () => {
  it('is refused at once while another process has it, naming that process and what it does', async () => {
    await using other = await holder('start');
    await expect(lockMachine({ locksFolder: folder, name: 'web', verb: 'stop' })).rejects.toMatchObject({
      code: 'busy',
      message: expect.stringContaining(`Process ${other.pid} (start)`),
    });
    expect(await readLockHolder({ locksFolder: folder, name: 'web' })).toMatchObject({ pid: other.pid, verb: 'start' });
  });

  it('is free again the moment its holder is killed, and nobody counts as holder', async () => {
    {
      await using _other = await holder('create');
    }
    expect(await readLockHolder({ locksFolder: folder, name: 'web' })).toBeNull();
    await using _lock = await lockMachine({ locksFolder: folder, name: 'web', verb: 'stop' });
    expect(await readLockHolder({ locksFolder: folder, name: 'web' })).toMatchObject({
      pid: process.pid,
      verb: 'stop',
    });
  });

  it('is refused to a second operation of the same process', async () => {
    await using _lock = await lockMachine({ locksFolder: folder, name: 'web', verb: 'start' });
    await expect(lockMachine({ locksFolder: folder, name: 'web', verb: 'remove' })).rejects.toMatchObject({
      code: 'busy',
    });
  });

  it('is of one machine only', async () => {
    await using _web = await lockMachine({ locksFolder: folder, name: 'web', verb: 'start' });
    await using _db = await lockMachine({ locksFolder: folder, name: 'db', verb: 'start' });
    expect(await readLockHolder({ locksFolder: folder, name: 'db' })).not.toBeNull();
  });

  it('leaves no file', async () => {
    {
      await using _lock = await lockMachine({ locksFolder: folder, name: 'web', verb: 'start' });
    }
    expect(await readdir(folder)).toEqual([]);
  });

  it.each(['', '{', '{"pid": 1}', '{"pid":1,"startedAt":"x","verb":"start"}'])(
    'takes a note that says %j for none',
    async (note) => {
      await writeFile(join(folder, 'web.holder.json'), note);
      expect(await readLockHolder({ locksFolder: folder, name: 'web' })).toBeNull();
    },
  );

  it('is held by one at a time, whoever comes while it is given back', async () => {
    let holders = 0;
    let taken = 0;
    const compete = async (): Promise<void> => {
      for (let tries = 0; tries < 200; tries++) {
        const lock = await tryLockFile(join(folder, 'file.lock'));
        if (lock === null) {
          await new Promise((resolve) => setImmediate(resolve));
          continue;
        }
        holders++;
        taken++;
        expect(holders).toBe(1);
        await new Promise((resolve) => setImmediate(resolve));
        holders--;
        await lock[Symbol.asyncDispose]();
      }
    };
    await Promise.all([compete(), compete(), compete(), compete()]);
    expect(taken).toBeGreaterThan(20);
  });
});
