import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { hasMemoryKills, watchMemoryKills } from './memory-kills.ts';

/** Version 1 is watched where the kernel has it: test/engine/semantics/limits.test.ts. */
describeWith(['linux'], 'processes killed for want of memory, by cgroups of version 2', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'skiff-memory-'));
    mkdirSync(join(root, 'box'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));
  const count = (kills: number): void =>
    writeFileSync(
      join(root, 'box/memory.events'),
      `low 0\nhigh 0\nmax 12\noom 3\noom_kill ${kills}\noom_group_kill 0\n`,
    );

  it('are told one by one, and what was before is not', async () => {
    count(1);
    expect(hasMemoryKills('/box', root)).toBe(true);
    const onKill = vi.fn();
    using _watch = watchMemoryKills('/box', onKill, root);
    count(2);
    await vi.waitFor(() => expect(onKill).toHaveBeenCalledTimes(1), { timeout: 30_000 });
    count(4);
    await vi.waitFor(() => expect(onKill).toHaveBeenCalledTimes(3), { timeout: 30_000 });
    rmSync(join(root, 'box'), { recursive: true });
    expect(hasMemoryKills('/box', root)).toBe(false);
  });

  it('cannot be watched where there is no memory controller', () => {
    expect(watchMemoryKills('/box', vi.fn(), root)).toBeNull();
  });
});
