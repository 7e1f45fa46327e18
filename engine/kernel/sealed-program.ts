/**
 * A program in memory that nobody can write to any more. A runtime that enters a container must not be reachable there as a
 * file of the host (CVE-2019-5736), so crun makes itself such a copy at each call and starts again from it, which takes longer than the
 * rest of an exec; started from one it sees that (source: memfd_create(2), crun's cloned_binary.c) and goes on at once.
 */
import { closeSync, readFileSync, statSync, writeSync } from 'node:fs';
import { systemCall } from './libc.ts';

const memfdCreate = systemCall<[string, number]>('int memfd_create(str name, uint flags)');
const fcntl = systemCall<[number, number, number]>('int fcntl(int fd, int command, long argument)');

const closeOnExec = 1;
const allowSealing = 2;
/** Needed where the kernel makes memory files not executable by itself (vm.memfd_noexec); unknown before Linux 6.3. */
const executable = 0x10;
const addSeals = 1033;
/** Against more seals, shrinking, growing and writing: exactly what crun looks for. */
const allSeals = 0xf;

/** Copies of programs, each made once; one that was replaced on the disk is copied anew. */
export class SealedPrograms implements Disposable {
  readonly #copies = new Map<string, { readonly fd: number; readonly identity: string }>();

  /** A path by which this process's children can execute the copy; that of the program itself where there can be none. */
  pathOf(program: string): string {
    const { ino, mtimeMs, size } = statSync(program);
    const identity = `${ino} ${mtimeMs} ${size}`;
    const known = this.#copies.get(program);
    if (known?.identity === identity) return pathOfFd(known.fd);
    if (known !== undefined) closeSync(known.fd);
    this.#copies.delete(program);
    const fd = sealedCopy(program);
    if (fd === null) return program;
    this.#copies.set(program, { fd, identity });
    return pathOfFd(fd);
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#copies.values()) closeSync(fd);
    this.#copies.clear();
  }
}

/** Not by `self`: a child has closed all that it does not keep before it executes. */
function pathOfFd(fd: number): string {
  return `/proc/${process.pid}/fd/${fd}`;
}

/** Null when the kernel has none or does not allow one to be executed. */
function sealedCopy(program: string): number | null {
  const fd = memoryFile(program);
  if (fd === null) return null;
  try {
    const bytes = readFileSync(program);
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fcntl('F_ADD_SEALS', fd, addSeals, allSeals);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function memoryFile(name: string): number | null {
  for (const flags of [closeOnExec | allowSealing | executable, closeOnExec | allowSealing]) {
    try {
      return memfdCreate(name, name, flags);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EINVAL' && code !== 'EACCES' && code !== 'EPERM' && code !== 'ENOSYS') throw error;
    }
  }
  return null;
}
