import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { readMounts } from '../kernel/mount-table.ts';
import { removeEngineCgroup } from './cgroups.ts';

describeWith(['linux', 'root'], "an engine's own cgroup", () => {
  it('goes as soon as the last container’s has gone', async () => {
    const target = readMounts().find(({ type }) => type.startsWith('cgroup'))?.target;
    if (target === undefined) throw new Error('no cgroups are mounted');
    const own = `/skiff-test-cgroups-${process.pid}`;
    const container = join(target, own, 'container');
    mkdirSync(container, { recursive: true });
    const removed = removeEngineCgroup(own);
    expect(existsSync(container)).toBe(true);
    rmdirSync(container);
    await removed;
    expect(existsSync(join(target, own))).toBe(false);
  });
});
