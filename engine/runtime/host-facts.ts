import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { arch, release } from 'node:os';
import { internal } from '../model/errors.ts';
import { allCapabilities } from './capabilities.ts';
import type { HostFacts } from './container-settings.ts';
import { readHostControls } from './host-controls.ts';
import { allDevices } from './host-devices.ts';

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
    hasAppArmor: hasAppArmor(),
    controls: readHostControls(cgroupVersion),
    cpuCount: readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name)).length,
    maxOpenFiles: maxOpenFiles(readFileSync('/proc/self/limits', 'latin1')),
    devices: allDevices(),
  };
}

function hasAppArmor(): boolean {
  const switchFile = '/sys/module/apparmor/parameters/enabled';
  return existsSync(switchFile) && readFileSync(switchFile, 'latin1').startsWith('Y');
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
