import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type HostControls, type ResourceLimits, unlimited } from './container-settings.ts';
import { applyLimits } from './update.ts';

const controls: HostControls = {
  hasMemory: true,
  hasSwap: true,
  hasSwappiness: true,
  hasOomKillSwitch: true,
  hasPids: true,
  hasCpuShares: true,
  hasCpuQuota: true,
  hasRealtime: false,
  sets: { cpus: '0-1', mems: '0' },
  hasBlkioWeight: true,
  hasBlkioWeightDevice: true,
  hasBlkioRates: true,
  processors: 2,
};

/** Plain files in the place of the kernel's: what would be written can be read. */
class FakeCgroups implements Disposable {
  readonly root = mkdtempSync(path.join(os.tmpdir(), 'skiff-cgroups-'));
  readonly version: 1 | 2;

  constructor(version: 1 | 2, files: Readonly<Record<string, string>>) {
    this.version = version;
    for (const [file, text] of Object.entries(files)) {
      const place = path.join(this.root, file);
      mkdirSync(path.dirname(place), { recursive: true });
      writeFileSync(place, text);
    }
  }

  change(before: Partial<ResourceLimits>, after: Partial<ResourceLimits>): void {
    applyLimits({
      cgroup: '/c',
      before: { ...unlimited, ...before },
      after: { ...unlimited, ...before, ...after },
      host: { cgroupVersion: this.version, controls },
      root: this.root,
    });
  }

  read(file: string): string {
    return readFileSync(path.join(this.root, file), 'latin1');
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

const v2Files = {
  'c/memory.max': 'max\n',
  'c/memory.swap.max': 'max\n',
  'c/memory.low': '0\n',
  'c/cpu.weight': '100\n',
  'c/cpu.max': 'max 100000\n',
  'c/cpuset.cpus': '\n',
  'c/pids.max': 'max\n',
  'c/io.weight': 'default 100\n',
  'c/io.max': '\n',
};

describe('limits of a running container', () => {
  const opened: FakeCgroups[] = [];
  const open = (version: 1 | 2, files: Readonly<Record<string, string>>): FakeCgroups => {
    const cgroups = new FakeCgroups(version, files);
    opened.push(cgroups);
    return cgroups;
  };
  afterEach(() => {
    for (const cgroups of opened.splice(0)) cgroups[Symbol.dispose]();
  });

  it('are files of cgroups v2 in its own units', () => {
    const cgroups = open(2, v2Files);
    cgroups.change(
      {},
      {
        memoryBytes: 100,
        memoryAndSwapBytes: 300,
        memoryReservationBytes: 50,
        nanoCpus: 500_000_000,
        cpuShares: 1024,
        cpusetCpus: '0',
        pidsLimit: 7,
        blkioWeight: 1000,
      },
    );
    expect(Object.fromEntries(Object.keys(v2Files).map((file) => [file, cgroups.read(file)]))).toEqual({
      'c/memory.max': '100',
      'c/memory.swap.max': '200',
      'c/memory.low': '50',
      'c/cpu.weight': '39',
      'c/cpu.max': '50000 100000',
      'c/cpuset.cpus': '0',
      'c/pids.max': '7',
      'c/io.weight': '10000',
      'c/io.max': '\n',
    });
  });

  it('leave what stays the same alone', () => {
    const cgroups = open(2, { 'c/pids.max': '5\n' });
    cgroups.change({ memoryBytes: 100, pidsLimit: 5 }, { pidsLimit: 9 });
    expect(cgroups.read('c/pids.max')).toBe('9');
  });

  it('set a device free that is not named any more', () => {
    const cgroups = open(2, v2Files);
    cgroups.change({ blkioReadBps: [{ major: 8, minor: 0, value: 1024 }] }, { blkioReadBps: [] });
    expect(cgroups.read('c/io.max')).toBe('8:0 rbps=max');
  });

  it('are all as before when one of them is refused', () => {
    const { 'c/pids.max': _none, ...withoutPids } = v2Files;
    const cgroups = open(2, withoutPids);
    expect(() => cgroups.change({}, { memoryBytes: 100, nanoCpus: 1e9, pidsLimit: 5 })).toThrow(
      /failed to write "5" to pids.max/,
    );
    expect([cgroups.read('c/memory.max'), cgroups.read('c/cpu.max')]).toEqual(['max', 'max 100000']);
  });

  it('with v1 never ask for more memory than memory and swap together', () => {
    const order = (before: Partial<ResourceLimits>, after: Partial<ResourceLimits>): string => {
      // The second of the two files is missing: only the first can have been written, and is taken back.
      const cgroups = open(1, { 'memory/c/memory.limit_in_bytes': 'x' });
      try {
        cgroups.change(before, after);
        return 'none failed';
      } catch (error) {
        return String(error);
      }
    };
    const low = { memoryBytes: 100, memoryAndSwapBytes: 200 };
    const high = { memoryBytes: 1000, memoryAndSwapBytes: 2000 };
    expect(order(low, high)).toMatch(/"2000" to memory.memsw/);
    expect(order(high, low)).toMatch(/"200" to memory.memsw/);
  });
});
