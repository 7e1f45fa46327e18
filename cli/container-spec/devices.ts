import type { DeviceMapping, DeviceRequest, ThrottledDevice, Ulimit } from '../../api/containers.ts';
import { parseMemory } from '../formats/sizes.ts';
import { csvFields, pairOf } from './csv.ts';

/** Devices and limits that are written in a form of their own. All throw RangeError in docker's words. */

/** `--device /dev/a[:/dev/b[:rwm]]`. */
export function parseDevice(text: string): DeviceMapping {
  const [host = '', second, third, ...more] = text.split(':');
  if (host === '' || more.length > 0) throw new RangeError(`bad format for path: ${text}`);
  const isMode = (part: string | undefined): part is string =>
    part !== undefined && /^(?!.*(.).*\1)[rwm]{1,3}$/.test(part);
  const mode = third ?? (isMode(second) ? second : 'rwm');
  if (!isMode(mode)) throw new RangeError(`bad mode specified: ${mode}`);
  const target = second === undefined || (third === undefined && isMode(second)) ? host : second;
  if (!target.startsWith('/')) throw new RangeError(`${target} is not an absolute path`);
  return { PathOnHost: host, PathInContainer: target, CgroupPermissions: mode };
}

/** `vendor.com/class=name`: a device that a description on the host explains (CDI), not a path. */
export function isQualifiedDevice(text: string): boolean {
  return /^[a-zA-Z][\w.-]*\/[a-zA-Z][\w-]*=[\w.:-]+$/.test(text);
}

export function parseDeviceRule(text: string): string {
  if (/^[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw new RangeError(`invalid device cgroup format '${text}'`);
}

/** `--device-read-bps /dev/sda:1mb`. */
export function parseByteRate(text: string): ThrottledDevice {
  const { path, value } = deviceValue(text);
  try {
    return { Path: path, Rate: parseMemory(value) };
  } catch (error) {
    const hint = 'Number must be a positive integer. Unit is optional and can be kb, mb, or gb';
    throw new RangeError(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>[<unit>]. ${hint}`,
      { cause: error },
    );
  }
}

/** `--device-read-iops /dev/sda:1000`. */
export function parseRate(text: string): ThrottledDevice {
  const { path, value } = deviceValue(text);
  if (!/^\d+$/.test(value)) {
    throw new RangeError(
      `invalid rate for device: ${text}. The correct format is <device-path>:<number>. Number must be a positive integer`,
    );
  }
  return { Path: path, Rate: Number(value) };
}

/** `--blkio-weight-device /dev/sda:500`. */
export function parseDeviceWeight(text: string): { readonly Path: string; readonly Weight: number } {
  const { path, value } = deviceValue(text);
  const weight = Number(value);
  if (!/^\d+$/.test(value) || (weight !== 0 && (weight < 10 || weight > 1000))) {
    throw new RangeError(`invalid weight for device: ${text}`);
  }
  return { Path: path, Weight: weight };
}

function deviceValue(text: string): { readonly path: string; readonly value: string } {
  const [, path = '', value = ''] = /^([^:]+):(.*)$/.exec(text) ?? [];
  if (path === '') throw new RangeError(`bad format: ${text}`);
  if (!path.startsWith('/dev/')) throw new RangeError(`bad format for device path: ${text}`);
  return { path, value };
}

const limits = [
  'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack',
]; // prettier-ignore

/** `--ulimit nofile=1024[:2048]`; -1 is no limit. */
export function parseUlimit(text: string): Ulimit {
  const [, name = '', soft = '', hard = soft] = /^([^=]+)=([^:]+)(?::([^:]+))?$/.exec(text) ?? [];
  if (name === '') throw new RangeError(`invalid ulimit argument: ${text}`);
  if (!limits.includes(name)) throw new RangeError(`invalid ulimit type: ${name}`);
  for (const value of [soft, hard]) {
    if (!/^-?\d+$/.test(value)) throw new RangeError(`strconv.ParseInt: parsing "${value}": invalid syntax`);
  }
  const [low, high] = [Number(soft), Number(hard)];
  if (high !== -1 && (low === -1 || low > high)) {
    throw new RangeError(`ulimit soft limit must be less than or equal to hard limit: ${low} > ${high}`);
  }
  return { Name: name, Soft: low, Hard: high };
}

/** `--gpus all`, `--gpus 2`, `--gpus device=0,"capabilities=compute,utility"`. */
export function parseGpus(text: string): DeviceRequest {
  let count: number | undefined;
  let driver = '';
  let ids: readonly string[] | undefined;
  let capabilities: readonly string[] = [];
  let options: Readonly<Record<string, string>> = {};
  const countOf = (value: string): number => {
    if (value === 'all') return -1;
    if (!/^\d+$/.test(value))
      throw new RangeError(`invalid count (${value}): value must be either "all" or an integer: invalid syntax`);
    return Number(value);
  };
  for (const field of csvFields(text)) {
    const { key, value } = pairOf(field);
    if (value === undefined) count = countOf(key);
    else if (key === 'count') count = countOf(value);
    else if (key === 'driver') driver = value;
    else if (key === 'device') ids = value.split(',');
    else if (key === 'capabilities') capabilities = value.split(',');
    else if (key === 'options')
      options = Object.fromEntries(csvFields(value).map((part) => [pairOf(part).key, pairOf(part).value ?? '']));
    else throw new RangeError(`unexpected key '${key}' in '${field}'`);
  }
  return {
    Driver: driver,
    Count: count ?? (ids === undefined ? 1 : 0),
    DeviceIDs: ids ?? null,
    Capabilities: [[...capabilities, ...(capabilities.includes('gpu') ? [] : ['gpu'])]],
    Options: options,
  };
}

const openSysctls = [
  'kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced',
]; // prettier-ignore

/** `--sysctl net.core.somaxconn=512`: only those that a container has of its own. */
export function parseSysctl(text: string): readonly [name: string, value: string] {
  const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  const isOpen = openSysctls.includes(name) || name.startsWith('net.') || name.startsWith('fs.mqueue.');
  if (!isOpen) throw new RangeError(`sysctl '${text}' is not allowed`);
  return [name, value];
}
