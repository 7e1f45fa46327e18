import { SvelteMap } from 'svelte/reactivity';
import type { ErrorShape } from '../../desktop/contract/errors.ts';
import type { TreeFile } from '../../desktop/contract/images.ts';
import { shapeOf } from '../lists/follow-list.ts';

type Folder =
  | { readonly kind: 'loading'; readonly files: readonly TreeFile[] }
  | { readonly kind: 'ready'; readonly files: readonly TreeFile[]; readonly next: string | null }
  | { readonly kind: 'failed'; readonly files: readonly TreeFile[]; readonly error: ErrorShape };

/** One line of the tree as it is drawn. */
export type TreeRow =
  | {
      readonly kind: 'file';
      readonly key: string;
      readonly depth: number;
      readonly file: TreeFile;
      readonly isOpen: boolean;
    }
  | {
      readonly kind: 'loading' | 'empty' | 'more';
      readonly key: string;
      readonly depth: number;
      readonly folder: string;
    }
  | {
      readonly kind: 'failed';
      readonly key: string;
      readonly depth: number;
      readonly folder: string;
      readonly error: ErrorShape;
    };

export type LoadFolder = (
  path: string,
  after: string | null,
  signal: AbortSignal,
) => Promise<{ readonly files: readonly TreeFile[]; readonly next: string | null }>;

const rootPath = '';

/** A tree of files whose folders are asked for when they are opened. Opening reads a folder anew when it failed before. */
export class FolderTree {
  readonly #folders = new SvelteMap<string, Folder>();
  readonly #open = new SvelteMap<string, true>();
  readonly #load: LoadFolder;
  readonly #stop = new AbortController();

  constructor(load: LoadFolder) {
    this.#load = load;
    this.#open.set(rootPath, true);
    void this.#read(rootPath, null);
  }

  get rows(): readonly TreeRow[] {
    return this.#rowsOf(rootPath, 0);
  }

  toggle(path: string): void {
    if (this.#open.delete(path)) return;
    this.#open.set(path, true);
    const folder = this.#folders.get(path);
    if (folder === undefined || folder.kind === 'failed') void this.#read(path, null);
  }

  /** The next page of a folder that has more than one. */
  showMore(path: string): void {
    const folder = this.#folders.get(path);
    if (folder?.kind === 'ready' && folder.next !== null) void this.#read(path, folder.next);
  }

  /** Tries again what failed. */
  retry(path: string): void {
    void this.#read(path, null);
  }

  close(): void {
    this.#stop.abort();
  }

  async #read(path: string, after: string | null): Promise<void> {
    const before = after === null ? [] : (this.#folders.get(path)?.files ?? []);
    this.#folders.set(path, { kind: 'loading', files: before });
    try {
      const { files, next } = await this.#load(path, after, this.#stop.signal);
      this.#folders.set(path, { kind: 'ready', files: [...before, ...files], next });
    } catch (error) {
      if (!this.#stop.signal.aborted) this.#folders.set(path, { kind: 'failed', files: before, error: shapeOf(error) });
    }
  }

  #rowsOf(path: string, depth: number): TreeRow[] {
    const folder = this.#folders.get(path);
    if (folder === undefined) return [];
    const rows = folder.files.flatMap((file): TreeRow[] => {
      const isOpen = file.kind === 'directory' && this.#open.has(file.path);
      const row: TreeRow = { kind: 'file', key: file.path, depth, file, isOpen };
      return isOpen ? [row, ...this.#rowsOf(file.path, depth + 1)] : [row];
    });
    const place = { depth, folder: path };
    if (folder.kind === 'loading') return [...rows, { ...place, kind: 'loading', key: `${path}?loading` }];
    if (folder.kind === 'failed')
      return [...rows, { ...place, kind: 'failed', key: `${path}?failed`, error: folder.error }];
    if (folder.next !== null) return [...rows, { ...place, kind: 'more', key: `${path}?more` }];
    return rows.length === 0 ? [{ ...place, kind: 'empty', key: `${path}?empty` }] : rows;
  }
}
