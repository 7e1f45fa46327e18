/**
 * Processes of a cgroup that the kernel killed for want of memory. Sources: memory.oom_control and cgroup.event_control of version 1
 * (the kernel's cgroup-v1/memory document, "OOM Control"), memory.events of version 2.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, watch, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CountedKills } from './counted-kills.ts';
import { systemCall } from './libc.ts';
import { watchFd } from './poll.ts';

const eventfd = systemCall<[number, number]>('int eventfd(unsigned int initial, int flags)');
const closeOnExec = 0o2000000;
const doNotWait = 0o4000;

const usualRoot = '/sys/fs/cgroup';

export function hasMemoryKills(cgroup: string, root = usualRoot): boolean {
  return (memoryKills(cgroup, root) ?? 0) > 0;
}

/**
 * Calls `onKill` for each process that the kernel ends since it finds no more memory for the cgroup. Null where that cannot be
 * watched: the cgroup is gone, or has no memory controller.
 */
export function watchMemoryKills(cgroup: string, onKill: () => void, root = usualRoot): Disposable | null {
  const { unified } = filesOf(cgroup, root);
  try {
    return existsSync(unified) ? watchCount(cgroup, root, onKill) : watchControl(cgroup, root, onKill);
  } catch (error) {
    if (isGone(error)) return null;
    throw error;
  }
}

/** Version 2: a count, of which inotify tells changes. */
function watchCount(cgroup: string, root: string, onKill: () => void): Disposable {
  let seen = memoryKills(cgroup, root) ?? 0;
  const watcher = watch(filesOf(cgroup, root).unified, { persistent: false }, () => {
    const count = memoryKills(cgroup, root) ?? seen;
    for (; seen < count; seen += 1) onKill();
  });
  // It ends with the cgroup.
  watcher.on('error', () => watcher.close());
  return { [Symbol.dispose]: () => watcher.close() };
}

/** Version 1: an eventfd that gives notices, also when the cgroup goes. */
function watchControl(cgroup: string, root: string, onKill: () => void): Disposable {
  const control = filesOf(cgroup, root).first;
  const event = eventfd(control, 0, closeOnExec | doNotWait);
  try {
    const file = openSync(control, 'r');
    try {
      writeFileSync(join(control, '../cgroup.event_control'), `${event} ${file}`);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    closeSync(event);
    throw error;
  }
  const kills = new CountedKills({ count: () => memoryKills(cgroup, root), onKill });
  const notices = Buffer.alloc(8);
  const watching = watchFd(event, 'readable', () => {
    if (!hasRead(event, notices)) return;
    if (existsSync(control)) kills.noticed();
    else watching.stop();
  });
  return {
    [Symbol.dispose]() {
      watching[Symbol.dispose]();
      kills[Symbol.dispose]();
      closeSync(event);
    },
  };
}

function hasRead(event: number, into: Buffer): boolean {
  try {
    return readSync(event, into) > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') return false;
    throw error;
  }
}

/** Null: unknown, for the cgroup is gone or has no memory controller. */
function memoryKills(cgroup: string, root: string): number | null {
  const { first, unified } = filesOf(cgroup, root);
  for (const path of [first, unified]) {
    try {
      const count = /^oom_kill (\d+)$/m.exec(readFileSync(path, 'latin1'))?.[1];
      if (count !== undefined) return Number(count);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return null;
}

function filesOf(cgroup: string, root: string): { readonly first: string; readonly unified: string } {
  return { first: `${root}/memory${cgroup}/memory.oom_control`, unified: `${root}${cgroup}/memory.events` };
}

/** A cgroup that goes while it is looked at answers ENODEV. */
function isGone(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENODEV');
}
