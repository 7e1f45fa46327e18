import type { FSWatcher } from 'node:fs';
import { lstatSync, readdirSync, watch } from 'node:fs';
import { join, relative, sep } from 'node:path';
import type { FileChange } from '../../api/shares/shares.ts';

/** A folder below a share, whose changes are wanted. */
export interface WatchedFolder {
  /** Of the share, on this computer. */
  readonly root: string;
  /** Of the share. */
  readonly id: string;
  /** Below it (latin1); empty: all of it. May be a file. */
  readonly path: string;
}

export interface SeenChange extends FileChange {
  /** When the file was changed last (milliseconds since 1970); null for one that is gone. */
  readonly atMs: number | null;
}

export interface FolderWatchOptions {
  readonly folders: readonly WatchedFolder[];
  readonly onChanges: (changes: readonly SeenChange[]) => void;
  readonly log: (line: string) => void;
  /** Of folders that are watched one by one, on Linux. */
  readonly mostFolders?: number;
}

/** Changes that come together are told together: an editor makes several of one save. */
const gatherMs = 40;
const mostGathered = 1000;
/** What tools write by the thousand and nobody watches in there. */
const passedOver: ReadonlySet<string> = new Set(['.git', 'node_modules']);

/**
 * Watches folders of this computer for what is made, changed or removed in them. macOS and Windows watch a tree as one; on Linux each
 * folder takes a watch of the kernel, of which a user has a bounded number: those nearest to the top come first, `node_modules` and `.git`
 * not at all.
 */
export class FolderWatch implements Disposable {
  readonly #options: FolderWatchOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #gathered = new Map<string, { readonly of: WatchedFolder; readonly path: string; isNew: boolean }>();
  #timer: NodeJS.Timeout | null = null;
  #isFull = false;

  constructor(options: FolderWatchOptions) {
    this.#options = options;
    for (const folder of options.folders) this.#follow(folder);
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #follow(folder: WatchedFolder): void {
    const top = join(folder.root, textOf(folder.path));
    if (process.platform !== 'linux') return this.#watch(folder, top, { recursive: true });
    // Breadth first: what lies deep is the first to be left out.
    const left = [top];
    for (let at = 0; at < left.length; at++) {
      const path = left[at] ?? top;
      this.#watch(folder, path, { recursive: false });
      left.push(...foldersIn(path));
      if (this.#isFull) return;
    }
  }

  #watch(folder: WatchedFolder, path: string, options: { readonly recursive: boolean }): void {
    if (this.#watchers.has(path)) return;
    if (this.#watchers.size >= (this.#options.mostFolders ?? 8192)) return this.#giveUp('there are too many folders');
    try {
      const watcher = watch(path, { ...options, persistent: false }, (event, name) => {
        // Of a file that is watched itself, its own name comes.
        const changed = name === null || !isFolder(path) ? path : join(path, name);
        this.#gather(folder, changed, event === 'rename');
      });
      watcher.on('error', () => this.#unwatch(path));
      this.#watchers.set(path, watcher);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : '';
      if (code === 'ENOSPC' || code === 'EMFILE') return this.#giveUp(`this computer gives no more watches (${code})`);
      // It is gone again, or may not be read: nothing in it can change for a container either.
    }
  }

  #giveUp(why: string): void {
    if (!this.#isFull) this.#options.log(`changes are not told of all shared folders: ${why}`);
    this.#isFull = true;
  }

  #unwatch(path: string): void {
    this.#watchers.get(path)?.close();
    this.#watchers.delete(path);
  }

  #gather(of: WatchedFolder, path: string, isNew: boolean): void {
    const known = this.#gathered.get(path);
    if (known !== undefined) known.isNew ||= isNew;
    else if (this.#gathered.size < mostGathered) this.#gathered.set(path, { of, path, isNew });
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.#tell();
    }, gatherMs);
  }

  #tell(): void {
    const gathered = [...this.#gathered.values()];
    this.#gathered.clear();
    const changes = gathered.map(({ of, path, isNew }): SeenChange => {
      const stats = lstatSync(path, { throwIfNoEntry: false });
      const inShare = relative(of.root, path).split(sep).join('/');
      if (stats === undefined) this.#unwatch(path);
      else if (stats.isDirectory() && isNew && process.platform === 'linux')
        this.#follow({ ...of, path: bytesOf(inShare) });
      const kind = stats === undefined ? 'removed' : isNew ? 'created' : 'changed';
      return { kind, path: bytesOf(`/${of.id}/${inShare}`), atMs: stats?.ctimeMs ?? null };
    });
    if (changes.length > 0) this.#options.onChanges(changes);
  }
}

function foldersIn(path: string): readonly string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.flatMap((entry) =>
      entry.isDirectory() && !passedOver.has(entry.name) ? [join(path, entry.name)] : [],
    );
  } catch {
    return []; // no folder, or one that may not be read
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function textOf(bytes: string): string {
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function bytesOf(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
}
