/**
 * Limits on folders, where the file system counts them: project quotas of XFS (`pquota`) and ext4 (`prjquota`, with its
 * features `project` and `quota`). Sources: quotactl_fd(2), linux/dqblk_xfs.h, linux/quota.h, `struct fsxattr` in linux/fs.h.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { systemCall, SystemCallError } from './libc.ts';

const quotactlNumber = 443n; // on every architecture, since Linux 5.14
const quotactl = systemCall<[bigint, number, number, number, Buffer]>(
  'long syscall(long number, uint fd, uint command, uint id, void *address)',
);
const ioctl = systemCall<[number, number, Buffer]>('int ioctl(int fd, ulong request, void *argument)');

const ofProjects = 2;
const command = (number: number): number => (number << 8) | ofProjects;
const getState = command(0x5805);
const setLimit = command(0x5804);
const limitsEnforced = 1 << 5;

const getAttributes = 0x801c581f;
const setAttributes = 0x401c5820;
const attributesBytes = 28;
const inheritsProject = 0x200;

/** Does the file system of this folder enforce limits of projects? */
export function hasProjectQuota(folder: string): boolean {
  const state = Buffer.alloc(80);
  state.writeInt8(1, 0);
  try {
    withFolder(folder, (fd) => quotactl(folder, quotactlNumber, fd, getState, 0, state));
  } catch (error) {
    // No quotas in this kernel, on this file system, or no such call: all are a no.
    if (error instanceof SystemCallError) return false;
    throw error;
  }
  return (state.readUInt16LE(2) & limitsEnforced) !== 0;
}

/** 0: of no project. */
export function projectOf(folder: string): number {
  const attributes = Buffer.alloc(attributesBytes);
  withFolder(folder, (fd) => ioctl(folder, fd, getAttributes, attributes));
  return attributes.readUInt32LE(12);
}

/** From now on all that is made below this folder, which must be empty, counts for the project, up to so many bytes. */
export function limitFolder(folder: string, project: number, bytes: number): void {
  withFolder(folder, (fd) => {
    const limit = Buffer.alloc(112);
    limit.writeInt8(1, 0); // version
    limit.writeInt8(2, 1); // of a project
    limit.writeUInt16LE((1 << 2) | (1 << 3), 2); // its soft and its hard limit on blocks, of 512 bytes
    limit.writeUInt32LE(project, 4);
    const blocks = BigInt(Math.ceil(bytes / 512));
    limit.writeBigUInt64LE(blocks, 8);
    limit.writeBigUInt64LE(blocks, 16);
    quotactl(folder, quotactlNumber, fd, setLimit, project, limit);
    const attributes = Buffer.alloc(attributesBytes);
    ioctl(folder, fd, getAttributes, attributes);
    attributes.writeUInt32LE((attributes.readUInt32LE(0) | inheritsProject) >>> 0, 0);
    attributes.writeUInt32LE(project, 12);
    ioctl(folder, fd, setAttributes, attributes);
  });
}

function withFolder<T>(folder: string, work: (fd: number) => T): T {
  const fd = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
}
