import { existsSync, lstatSync, readFileSync, readdirSync } from 'node:fs';
import { arch, release } from 'node:os';
import { join } from 'node:path';
import { internal } from '../model/errors.ts';
import { allCapabilities } from './capabilities.ts';
import type { DeviceGrant, HostFacts } from './container-settings.ts';

/** What specs depend on, read from this computer. Once, at boot: none of it changes under a running engine. */
export function readHostFacts(): HostFacts {
  const platform = arch();
  if (platform !== 'x64' && platform !== 'arm64') throw internal(`the engine does not run on ${platform}`);
  const status = readFileSync('/proc/self/status', 'latin1');
  const cgroupVersion = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : 1;
  return {
    cgroupVersion,
    arch: platform,
    kernel: parseKernel(release()),
    capabilities: capabilitiesOf(status),
    hasSeccomp: /^Seccomp:/m.test(status),
    hasSwapLimit: cgroupVersion === 2 || existsSync('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
    cpuCount: readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name)).length,
    maxOpenFiles: maxOpenFiles(readFileSync('/proc/self/limits', 'latin1')),
    devices: hostDevices('/dev'),
  };
}

export function parseKernel(text: string): readonly [number, number] {
  const match = /^(\d+)\.(\d+)/.exec(text);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
}

/** The bounding set as names (source: proc_pid_status(5), CapBnd). */
export function capabilitiesOf(status: string): readonly string[] {
  const bits = BigInt(`0x${/^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  return allCapabilities.filter((_, index) => ((bits >> BigInt(index)) & 1n) === 1n);
}

function maxOpenFiles(limits: string): number {
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1] ?? 'unlimited';
  return hard === 'unlimited' ? Number.MAX_SAFE_INTEGER : Number(hard);
}

/** Not among them: what a container has mounted of its own. */
const ownFolders = ['pts', 'shm', 'mqueue', 'fd', '.lxc', '.lxd-mounts'];

function hostDevices(folder: string): readonly DeviceGrant[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return folder === '/dev' && ownFolders.includes(entry.name) ? [] : hostDevices(path);
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    if (path === '/dev/console') return [];
    const { rdev, mode, uid, gid } = lstatSync(path);
    const type = entry.isCharacterDevice() ? 'c' : 'b';
    return [{ path, type, ...splitDevice(rdev), fileMode: mode & 0o7777, uid, gid, access: 'rwm' }];
  });
}

/** Source: makedev(3), glibc's layout; 32 bits of it are used by the kernel. */
export function splitDevice(rdev: number): { readonly major: number; readonly minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
