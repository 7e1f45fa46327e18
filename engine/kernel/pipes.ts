import { constants } from 'node:fs';
import { systemCall } from './libc.ts';

const pipe2 = systemCall<[Int32Array, number]>('int pipe2(void *fds, int flags)');
const fcntl = systemCall<[number, number, number]>('int fcntl(int fd, int command, long argument)');

const closeOnExec = 0o2000000;
const duplicateCloseOnExec = 1030;

export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/**
 * A real pipe, both ends closed on exec. Node makes socket pairs for children instead, and those cannot be opened by
 * path: a container that writes to /dev/stdout or /proc/self/fd/1 (nginx's log does) would fail.
 */
export function makePipe(): Pipe {
  const ends = new Int32Array(2);
  pipe2('', ends, closeOnExec);
  return { readEnd: ends[0] ?? -1, writeEnd: ends[1] ?? -1 };
}

/** The pipe takes so many bytes before who writes has to wait. Source: fcntl(2), F_SETPIPE_SZ. */
export function setPipeSize(fd: number, sizeBytes: number): void {
  const setSize = 1031;
  fcntl('F_SETPIPE_SZ', fd, setSize, sizeBytes);
}

/** Another descriptor of the same open file, closed on exec. */
export function duplicateFd(fd: number): number {
  return fcntl('F_DUPFD_CLOEXEC', fd, duplicateCloseOnExec, 0);
}

/** Reads and writes answer EAGAIN instead of waiting. Holds for all duplicates of the descriptor. */
export function setNonBlocking(fd: number): void {
  const getFlags = 3;
  const setFlags = 4;
  fcntl('F_SETFL', fd, setFlags, fcntl('F_GETFL', fd, getFlags, 0) | constants.O_NONBLOCK);
}
