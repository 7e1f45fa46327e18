/** Devices of this host, as containers are given them. */
import { lstatSync, readdirSync, realpathSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '../model/errors.ts';
import type { BlkioLimit, DeviceGrant } from './container-settings.ts';

/** Not among them: what a container has mounted of its own. */
const ownFolders = ['pts', 'shm', 'mqueue', 'fd', '.lxc', '.lxd-mounts'];

/** All of /dev, for privileged containers. */
export function allDevices(folder = '/dev'): readonly DeviceGrant[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return folder === '/dev' && ownFolders.includes(entry.name) ? [] : allDevices(path);
    if (path === '/dev/console') return [];
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats === undefined ? [] : (grantOf(path, stats, 'rwm') ?? []);
  });
}

/**
 * `--device`: a node, a link to one, or a folder whose nodes all come along. Throws `invalid` in dockerd's words for what is
 * neither.
 */
export function requestedDevices(request: {
  readonly pathOnHost: string;
  readonly pathInContainer: string;
  readonly access: string;
}): readonly DeviceGrant[] {
  const { pathOnHost, pathInContainer, access } = request;
  const fail = (why: string): Error =>
    invalid(`error gathering device information while adding custom device ${JSON.stringify(pathOnHost)}: ${why}`);
  let resolved: string;
  let stats: Stats;
  try {
    resolved = realpathSync(pathOnHost === '' ? '/nonexistent' : pathOnHost);
    stats = lstatSync(resolved);
  } catch (error) {
    throw fail(error instanceof Error && 'code' in error && error.code === 'EACCES' ? error.message : noSuchFile);
  }
  const grant = grantOf(pathInContainer, stats, access);
  if (grant !== null) return [grant];
  const below = stats.isDirectory() ? nodesBelow(resolved, pathInContainer, access) : [];
  if (below.length === 0) throw fail('not a device node');
  return below;
}

const noSuchFile = 'no such file or directory';

/** Links in a folder are not followed: only what lies there itself is given. */
function nodesBelow(folder: string, shownAs: string, access: string): readonly DeviceGrant[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return nodesBelow(path, join(shownAs, entry.name), access);
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats === undefined ? [] : (grantOf(join(shownAs, entry.name), stats, access) ?? []);
  });
}

/** Null for what is no device. */
function grantOf(path: string, stats: Stats, access: string): DeviceGrant | null {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return null;
  const { rdev, mode, uid, gid } = stats;
  const type = stats.isCharacterDevice() ? 'c' : 'b';
  return { path, type, ...splitDevice(rdev), fileMode: mode & 0o7777, uid, gid, access };
}

/** The device that a limit is for. Throws `invalid` when there is none at that path. */
export function blkioLimit({ path, value }: { readonly path: string; readonly value: number }): BlkioLimit {
  let stats: Stats | undefined;
  try {
    stats = lstatSync(realpathSync(path));
  } catch {
    throw invalid(`stat ${path}: ${noSuchFile}`);
  }
  if (!stats.isBlockDevice()) throw invalid(`${path} is not a block device: limits of input and output need one`);
  return { ...splitDevice(stats.rdev), value };
}

/** Source: makedev(3), glibc's layout; 32 bits of it are used by the kernel. */
export function splitDevice(rdev: number): { readonly major: number; readonly minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
