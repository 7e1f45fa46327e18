/** Which limits this kernel can enforce, read from its cgroup files. */
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { HostControls } from './container-settings.ts';

/** `root`: where the cgroups are mounted, for tests. */
export function readHostControls(version: 1 | 2, root = '/sys/fs/cgroup'): HostControls {
  return version === 2 ? controlsOfV2(root) : controlsOfV1(root);
}

function controlsOfV1(root: string): HostControls {
  const has = (file: string): boolean => existsSync(path.join(root, file));
  return {
    hasMemory: has('memory/memory.limit_in_bytes'),
    hasSwap: has('memory/memory.memsw.limit_in_bytes'),
    hasSwappiness: has('memory/memory.swappiness'),
    hasOomKillSwitch: has('memory/memory.oom_control'),
    hasPids: has('pids'),
    hasCpuShares: has('cpu/cpu.shares'),
    hasCpuQuota: has('cpu/cpu.cfs_quota_us'),
    hasRealtime: has('cpu/cpu.rt_runtime_us'),
    sets: readSets(path.join(root, 'cpuset/cpuset.effective_cpus'), path.join(root, 'cpuset/cpuset.effective_mems')),
    hasBlkioWeight: has('blkio/blkio.weight'),
    hasBlkioWeightDevice: has('blkio/blkio.weight_device'),
    hasBlkioRates: has('blkio/blkio.throttle.read_bps_device'),
    processors: os.cpus().length,
  };
}

/** The root has no files of limits, only the list of what its children can have. */
function controlsOfV2(root: string): HostControls {
  const controllers = new Set(readText(path.join(root, 'cgroup.controllers')).split(' '));
  const hasIo = controllers.has('io');
  return {
    hasMemory: controllers.has('memory'),
    hasSwap: controllers.has('memory'),
    hasSwappiness: false,
    hasOomKillSwitch: false,
    hasPids: controllers.has('pids'),
    hasCpuShares: controllers.has('cpu'),
    hasCpuQuota: controllers.has('cpu'),
    hasRealtime: false,
    sets: controllers.has('cpuset')
      ? readSets(path.join(root, 'cpuset.cpus.effective'), path.join(root, 'cpuset.mems.effective'))
      : null,
    hasBlkioWeight: hasIo,
    hasBlkioWeightDevice: hasIo,
    hasBlkioRates: hasIo,
    processors: os.cpus().length,
  };
}

function readSets(cpusFile: string, memsFile: string): HostControls['sets'] {
  const cpus = readText(cpusFile);
  return cpus === '' ? null : { cpus, mems: readText(memsFile) || '0' };
}

/** Empty when there is no such file. */
function readText(file: string): string {
  return existsSync(file) ? readFileSync(file, 'latin1').trim() : '';
}
