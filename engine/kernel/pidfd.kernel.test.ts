import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { ProcessHandle } from './pidfd.ts';

describeWith(['linux'], 'a process by descriptor', () => {
  it('is signalled while it lives, and never another in its place', async () => {
    const child = spawn('sleep', ['60']);
    const handle = ProcessHandle.open(child.pid ?? -1);
    expect(handle?.signal(0)).toBe(true);
    expect(handle?.signal(15)).toBe(true);
    await once(child, 'exit');
    expect(handle?.signal(15)).toBe(false);
    handle?.[Symbol.dispose]();
    expect(handle?.signal(15)).toBe(false);
  });
});
