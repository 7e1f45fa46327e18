import { constants, readdirSync } from 'node:fs';
import { mkdir, open, rmdir, unlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { FileChange } from '../../api/shares/shares.ts';
import { type FuseRequest, notifyForgetContents, notifyForgetEntry } from './fuse/codec.ts';
import type { FuseDevice } from './fuse/device.ts';
import type { Node, Nodes } from './nodes.ts';

/** More at once is a checkout or an install: whoever watches sees enough of it, and the kernel asks anew within a second. */
const mostWaiting = 1000;
/** As long as a change may take to get here. */
const echoMs = 1_000;
const mostWritten = 1000;

interface AnnouncementsOptions {
  readonly nodes: () => Nodes;
  readonly device: () => FuseDevice;
  /** Where the share is mounted. */
  readonly target: string;
}

/**
 * Lets containers hear (inotify) what the user's computer did to a file. The kernel tells watchers of what processes of its own do, so this one
 * does it once more, through the mount: it makes, writes or removes the file, and the file system, which knows its own requests by who
 * asks, answers them without asking the user's computer to do anything. Nothing of it reaches a file, so nothing comes round again. Only what
 * the kernel knows is announced: a folder that is watched is among that.
 */
export class Announcements {
  readonly #options: AnnouncementsOptions;
  readonly #waiting = new Map<string, FileChange['kind']>();
  readonly #wrote = new Map<string, number>();
  #threads: ReadonlySet<number> = new Set();
  #working: 'idle' | 'working' = 'idle';
  /** What this process must not find when it looks, for it is about to make it; or must, to remove it. */
  #hidden: { readonly folder: Node; readonly name: string } | null = null;
  #leaving: Node | null = null;

  constructor(options: AnnouncementsOptions) {
    this.#options = options;
  }

  /** Never waits. `path` within the share. */
  add(kind: FileChange['kind'], inShare: string): void {
    // A file that is written by a device is seen to change on the user's computer; containers have heard of that from their own kernel.
    const wroteMs = this.#wrote.get(inShare);
    if (kind !== 'removed' && wroteMs !== undefined && performance.now() - wroteMs < echoMs) return;
    if (this.#waiting.size >= mostWaiting) return;
    const before = this.#waiting.get(inShare);
    // Of several the last one says what is; only a file that is new stays new.
    this.#waiting.set(inShare, before === 'created' && kind === 'changed' ? before : kind);
    if (this.#working === 'idle') void this.#work();
  }

  /** A container has written to a file, and the user's computer has not been told who did. */
  wrote(inShare: string | null): void {
    if (inShare === null) return;
    this.#wrote.delete(inShare);
    this.#wrote.set(inShare, performance.now());
    const [oldest] = this.#wrote.keys();
    if (this.#wrote.size > mostWritten && oldest !== undefined) this.#wrote.delete(oldest);
  }

  /** Requests carry the thread that asks. */
  isOwn({ pid }: FuseRequest): boolean {
    return this.#threads.has(pid);
  }

  isHidden(request: FuseRequest, folder: Node, name: string): boolean {
    return this.#hidden?.folder === folder && this.#hidden.name === name && this.isOwn(request);
  }

  isLeaving(request: FuseRequest, node: Node): boolean {
    return this.#leaving === node && this.isOwn(request);
  }

  async #work(): Promise<void> {
    this.#working = 'working';
    // Those of the pool come to be with the first work for it, which is long done: the device is read by them.
    this.#threads = new Set(readdirSync('/proc/self/task').map(Number));
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const [inShare, kind] = next;
      this.#waiting.delete(inShare);
      try {
        await this.#announce(kind, inShare);
      } catch {
        // The file has gone on changing meanwhile; that is announced too.
      }
    }
    this.#working = 'idle';
  }

  async #announce(kind: FileChange['kind'], inShare: string): Promise<void> {
    const names = inShare.split('/').filter((name) => name !== '');
    const name = names.at(-1);
    const folder = this.#options.nodes().known(names.slice(0, -1));
    if (folder === undefined || name === undefined) return;
    const target = path.join(this.#options.target, Buffer.from(inShare, 'latin1').toString('utf8'));
    switch (kind) {
      case 'created':
        return await this.#created({ folder, name, target });
      case 'changed':
        return await this.#changed({ folder, name, target });
      case 'removed':
        return await this.#removed({ folder, name, target });
    }
  }

  async #created(what: Place): Promise<void> {
    const { folder, name, target } = what;
    this.#hidden = { folder, name };
    try {
      await this.#forget(folder, name);
      const file = await open(target, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL);
      await file.close();
    } catch (error) {
      if (isCode(error, 'EISDIR')) await mkdir(target);
      else if (!isCode(error, 'EEXIST')) throw error;
    } finally {
      this.#hidden = null;
    }
    if (folder.children.get(name) !== undefined) await this.#changed(what);
  }

  async #changed({ folder, name, target }: Place): Promise<void> {
    const node = folder.children.get(name);
    if (node === undefined) {
      await this.#forget(folder, name);
    } else {
      await this.#options.device().notify(notifyForgetContents(node.id));
      await this.#forget(folder, name);
    }
    const handle = await open(target, constants.O_WRONLY).catch((error: unknown) => {
      // Of a folder the change is what happened in it, and of an empty file there is nothing to write over.
      if (isCode(error, 'EISDIR')) return null;
      throw error;
    });
    if (handle === null) return;
    try {
      const { size } = await handle.stat();
      // Not of the file: where writing begins, a write that goes nowhere changes neither size nor contents.
      if (size > 0) await handle.write(Buffer.alloc(1), 0, 1, 0);
      else await utimes(target, new Date(), new Date());
    } finally {
      await handle.close();
    }
    const now = folder.children.get(name);
    if (now !== undefined) await this.#options.device().notify(notifyForgetContents(now.id));
  }

  async #removed({ folder, name, target }: Place): Promise<void> {
    const nodes = this.#options.nodes();
    const known = folder.children.get(name);
    // One that the kernel has forgotten meanwhile is heard of by who watches its folder: a file, for all that is known.
    const node = known ?? nodes.found(folder, name, { ...folder.file, mode: 0o100644, inode: 0 });
    if (known !== undefined) node.lookups += 1;
    this.#leaving = node;
    try {
      await this.#forget(folder, name);
      if ((node.file.mode & 0o170000) === 0o040000) await rmdir(target);
      else await unlink(target);
    } finally {
      this.#leaving = null;
      nodes.forget(node.id, 1);
    }
  }

  /** What the kernel believes of a name, also that there is nothing. */
  async #forget(folder: Node, name: string): Promise<void> {
    await this.#options.device().notify(notifyForgetEntry(folder.id, name));
  }
}

interface Place {
  readonly folder: Node;
  readonly name: string;
  readonly target: string;
}

function isCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' && codes.includes(error.code);
}
