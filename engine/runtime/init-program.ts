/** The tiny program that `--init` makes process 1: it hands on signals and reaps what its child leaves behind. */
import { accessSync, closeSync, constants, openSync, readSync } from 'node:fs';
import { join } from 'node:path';

/** docker's own name for it, and those of the packages tini and catatonit. */
const names = ['docker-init', 'tini-static', 'catatonit'];
const folders = [
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/usr/libexec/docker',
  '/usr/libexec/podman',
  '/usr/lib/podman',
];

export const howToGetInit = 'install the package tini (or catatonit), or name the program with --init-path';

/** Absolute path; null when there is none. It must be linked statically: a container's own libraries are not its own. */
export function findInit(given: string | null = null, searched: readonly string[] = folders): string | null {
  const candidates = given === null ? names.flatMap((name) => searched.map((folder) => join(folder, name))) : [given];
  return candidates.find((file) => isExecutable(file) && isStatic(file)) ?? null;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

const interpreterHeader = 3;

/** A 64-bit ELF without a program header that names an interpreter (source: elf(5), e_phoff and p_type). */
export function isStatic(file: string): boolean {
  const head = Buffer.alloc(4096);
  const fd = openSync(file, constants.O_RDONLY);
  let size: number;
  try {
    size = readSync(fd, head, 0, head.length, 0);
  } finally {
    closeSync(fd);
  }
  if (size < 64 || head.toString('latin1', 0, 4) !== '\x7fELF' || head[4] !== 2 || head[5] !== 1) return false;
  const start = Number(head.readBigUInt64LE(32));
  const entrySize = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  if (start + count * entrySize > size) return false;
  const types = Array.from({ length: count }, (_, index) => head.readUInt32LE(start + index * entrySize));
  return !types.includes(interpreterHeader);
}
