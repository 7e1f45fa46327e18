import { closeSync, openSync } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { z } from 'zod';
import { MachineError } from '../machines.ts';
import { isErrno, readIfThere, writeFileAtomic } from './atomic-file.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { isAlive, ownIdentity } from './process-identity.ts';

/**
 * A lock that the operating system drops when its holder dies, however it dies. Node has no flock, but SQLite locks
 * files on all three systems, and `BEGIN EXCLUSIVE` on an empty database takes such a lock without writing a byte.
 * Beside it stands a note that says who holds it and why; it serves messages and `…ing` states and is never trusted
 * without asking whether its process still lives.
 */
export interface FileLock extends AsyncDisposable {
  readonly path: string;
}

/** What a machine's lock is held for. */
const verbs = ['create', 'start', 'stop', 'kill', 'remove', 'pause', 'resume', 'suspend', 'change'] as const;
export type LockVerb = (typeof verbs)[number];

export interface LockHolder extends ProcessIdentity {
  readonly verb: LockVerb;
}

const holderNote = z.object({ pid: z.int().positive(), startedAt: z.string(), verb: z.enum(verbs) });

/** Takes the lock file at `path`, or null when another holds it. Never waits. */
export async function tryLockFile(path: string): Promise<FileLock | null> {
  for (;;) {
    createIfMissing(path);
    const before = await inode(path);
    if (before === null) continue;
    const database = new DatabaseSync(path, { timeout: 0 });
    try {
      database.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      database.close();
      if (isBusy(error)) return null;
      throw error;
    }
    // The last holder removes the file. Who opened it just before that now holds a lock on a file without a name,
    // beside which a third could lock a new one: so the name must still mean the same file.
    const after = await inode(path);
    if (after === before) {
      return { path, [Symbol.asyncDispose]: () => releaseFile(database, path) };
    }
    database.close();
  }
}

/** Locks a machine for one verb; `busy`, naming the holder, when another process or operation has it. */
export async function lockMachine(options: {
  readonly locksFolder: string;
  readonly name: string;
  readonly verb: LockVerb;
}): Promise<AsyncDisposable> {
  const { locksFolder, name, verb } = options;
  await mkdir(locksFolder, { recursive: true, mode: 0o700 });
  const lock = await tryLockFile(join(locksFolder, `${name}.lock`));
  const note = notePath(locksFolder, name);
  if (lock === null) throw busy(name, await readLockHolder({ locksFolder, name }));
  try {
    await writeFileAtomic(note, JSON.stringify({ ...(await ownIdentity()), verb } satisfies LockHolder));
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
  return {
    async [Symbol.asyncDispose]() {
      await rm(note, { force: true });
      await lock[Symbol.asyncDispose]();
    },
  };
}

/** Who works on the machine now; null when nobody does, also when the last one died at it. */
export async function readLockHolder(options: {
  readonly locksFolder: string;
  readonly name: string;
}): Promise<LockHolder | null> {
  const text = await readIfThere(notePath(options.locksFolder, options.name));
  if (text === null) return null;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return null;
  }
  const note = holderNote.safeParse(parsed);
  return note.success && (await isAlive(note.data)) ? note.data : null;
}

function notePath(locksFolder: string, name: string): string {
  return join(locksFolder, `${name}.holder.json`);
}

function busy(name: string, holder: LockHolder | null): MachineError {
  const who = holder === null ? 'Another process' : `Process ${holder.pid} (${holder.verb})`;
  return new MachineError('busy', `${who} is working on machine "${name}"; try again when it is done`);
}

async function releaseFile(database: DatabaseSync, path: string): Promise<void> {
  if (process.platform === 'win32') {
    // An open file cannot be removed here; if another has opened it meanwhile it simply stays.
    database.close();
    await rm(path, { force: true }).catch((error: unknown) => {
      if (!isErrno(error, 'EBUSY') && !isErrno(error, 'EPERM')) throw error;
    });
    return;
  }
  await rm(path, { force: true });
  database.close();
}

/**
 * Synchronous, so that no other operation of this process can lock the new file before this handle is closed: closing
 * any handle of a file drops all POSIX locks that the process has on it. For the same reason an existing file is never opened here.
 */
function createIfMissing(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

async function inode(path: string): Promise<bigint | null> {
  try {
    return (await stat(path, { bigint: true })).ino;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

/** SQLITE_BUSY is primary result code 5; extended codes carry it in their low byte. */
function isBusy(error: unknown): boolean {
  return (
    error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' && (error.errcode & 0xff) === 5
  );
}
