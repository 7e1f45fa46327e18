import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isAlive, listProcesses, ownIdentity, parsePosixProcess, readProcess, waitForEnd } from './process-identity.ts';

describe('the identity of a process', () => {
  it('is its own for this process, and stays the same', async () => {
    const own = await ownIdentity();
    expect(own.pid).toBe(process.pid);
    expect(await ownIdentity()).toEqual(own);
    expect(await isAlive(own)).toBe(true);
  });

  it('is not that of another process that got the same number', async () => {
    expect(await isAlive({ pid: process.pid, startedAt: 'some other time' })).toBe(false);
  });

  it.each([0, -1, 1.5, Number.NaN, 2 ** 31])('does not exist for %d', async (pid) => {
    expect(await readProcess(pid)).toBeNull();
  });

  it('stands in the list of all', async () => {
    expect(await listProcesses()).toContainEqual(await readProcess(process.pid));
  });

  it.each([
    [
      ' 4711 S+   Sat Nov 21 09:34:35 2026 /usr/bin/vfkit --cpus 2',
      { pid: 4711, commandLine: '/usr/bin/vfkit --cpus 2' },
    ],
    ['1 Ss Fri Nov  6 01:02:03 2026 /sbin/launchd', { pid: 1, commandLine: '/sbin/launchd' }],
    ['4712 Z Sat Nov 21 09:34:35 2026 (sh)', null],
    ['', null],
  ])('is read from what ps writes: %s', (line, process) => {
    if (process === null) expect(parsePosixProcess(line)).toBeNull();
    else expect(parsePosixProcess(line)).toMatchObject(process);
  });

  it('tells the command line', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)', 'a word']);
    await once(child, 'spawn');
    try {
      const found = await readProcess(child.pid ?? 0);
      expect(found?.commandLine).toContain('setInterval(() => undefined, 1000) a word');
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('ends with the process; waiting for it says whether it did in time', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => undefined, 1000)']);
    await once(child, 'spawn');
    const found = await readProcess(child.pid ?? 0);
    if (found === null) throw new Error('the child is not there');
    expect(await waitForEnd(found, { timeoutMs: 50 })).toBe(false);
    child.kill('SIGKILL');
    expect(await waitForEnd(found, { timeoutMs: 30_000 })).toBe(true);
    expect(await isAlive(found)).toBe(false);
  });
});
