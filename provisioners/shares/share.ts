import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, posix, resolve } from 'node:path';
import type { SharedFolder } from '../../api/shares/shares.ts';
import { MachineError } from '../machines.ts';

/** A folder of this computer that a machine's containers may bind. */
export interface Share {
  readonly hostPath: string;
  /** What containers name it by; the same, as a rule. Absolute, with slashes. */
  readonly machinePath: string;
  readonly isReadOnly: boolean;
}

/**
 * `HOST[:MACHINE][:ro|rw]`, as `--mount` takes it. Relative to this process's folder; `~` is the user's home. Throws `invalid-setting` for
 * what cannot be shared.
 */
export function parseShare(text: string): Share {
  const words = splitShare(text);
  const mode = words.length > 1 && ['ro', 'rw'].includes(words.at(-1) ?? '') ? words.pop() : 'rw';
  const [host = '', machine, ...others] = words;
  if (host === '' || others.length > 0 || machine === '')
    throw bad(text, 'it must be a folder of this computer, HOST[:MACHINE][:ro|rw]');
  const hostPath = resolve(host.replace(/^~(?=$|[/\\])/, homedir()));
  const machinePath =
    machine === undefined ? machinePathOf(hostPath) : posix.normalize(machine).replace(/(.)\/$/, '$1');
  if (!machinePath.startsWith('/')) throw bad(text, `its path in the machine must be absolute, not "${machine}"`);
  return { hostPath, machinePath, isReadOnly: mode === 'ro' };
}

/** As it stands in a machine's document: absolute, so that it means the same everywhere. */
export function describeShare({ hostPath, machinePath, isReadOnly }: Share): string {
  const paths = machinePath === machinePathOf(hostPath) ? [hostPath] : [hostPath, machinePath];
  return [...paths, ...(isReadOnly ? ['ro'] : [])].join(':');
}

/** Throws `invalid-setting` for a folder that is not there. */
export function assertShareable(share: Share): void {
  const stats = statSync(share.hostPath, { throwIfNoEntry: false });
  if (stats === undefined) throw bad(share.hostPath, 'there is no such folder');
  if (!stats.isDirectory()) throw bad(share.hostPath, 'it is no folder; share the folder that it lies in');
}

/** What the engine is told of it. */
export function sharedFolder(share: Share): SharedFolder {
  const { machinePath, isReadOnly } = share;
  const id = createHash('sha256').update(machinePath).digest('hex').slice(0, 12);
  const device = deviceOf(share);
  return { id, path: machinePath, isReadOnly, ...(device === null ? {} : { device }) };
}

/**
 * Tag of the device that a driver may give a machine for a share: it stands for the very folder, so that a machine never takes another one for
 * it. Null for what must not be written: hypervisors mostly cannot see to that, and the machine's own root would be free to.
 */
function deviceOf({ hostPath, isReadOnly }: Share): string | null {
  return isReadOnly ? null : createHash('sha256').update(hostPath).digest('hex').slice(0, 16);
}

/** Folders that a driver may give a machine as devices, by their tags: those that are there and may be written to. */
export function shareDevices(shares: readonly Share[]): ReadonlyMap<string, string> {
  const devices = new Map<string, string>();
  for (const share of shares) {
    const tag = deviceOf(share);
    const isFolder = statSync(share.hostPath, { throwIfNoEntry: false })?.isDirectory() === true;
    if (tag !== null && isFolder) devices.set(tag, share.hostPath);
  }
  return devices;
}

/** A drive of Windows is the first name, as docker's own tools have it: `C:\Users\me` is `/c/Users/me`. */
function machinePathOf(hostPath: string): string {
  const [, drive, rest] = /^([A-Za-z]):[\\/]*(.*)$/.exec(hostPath) ?? [];
  if (drive === undefined || rest === undefined) return hostPath;
  return posix.join('/', drive.toLowerCase(), rest.replaceAll('\\', '/'));
}

/** A colon after a drive's letter parts nothing. */
function splitShare(text: string): string[] {
  const words = text.split(':');
  const [drive = '', rest, ...others] = words;
  const isDrive = process.platform === 'win32' && /^[A-Za-z]$/.test(drive) && rest !== undefined && isAbsolute(rest);
  return isDrive ? [`${drive}:${rest}`, ...others] : words;
}

function bad(text: string, why: string): MachineError {
  return new MachineError('invalid-setting', `"${text}" cannot be shared: ${why}`);
}
