import type { FileAttributes } from '../../api/shares/attributes.ts';
import { openFlag } from '../../api/shares/packets.ts';
import { FileError, type HostFiles, type HostHandle, type OpenedFile } from './host-files.ts';
import type { Node, Nodes } from './nodes.ts';

/** One file that a process has open. */
export interface OpenFile {
  readonly node: Node;
  /** Null: what is written goes nowhere (announcements.ts). */
  readonly host: HostHandle | null;
  /** Writes that are under way, oldest first. */
  readonly writing: { readonly bytes: number; readonly done: Promise<void> }[];
  writingBytes: number;
  /** Of a write that was answered before it failed: told with the next flush, as of a disk. */
  failure: unknown;
}

/** A writer goes on while so much is on its way: one that waited for each answer would be as slow as the line is long. */
const mostWritingBytes = 4 * 1024 * 1024;

/** Files that are open in the machine, by the numbers that the kernel knows them by. */
export class OpenFiles {
  readonly #host: HostFiles;
  readonly #nodes: Nodes;
  readonly #files = new Map<number, OpenFile>();
  #lastHandle = 0;

  constructor(host: HostFiles, nodes: Nodes) {
    this.#host = host;
    this.#nodes = nodes;
  }

  get(handle: number): OpenFile {
    const file = this.#files.get(handle);
    if (file === undefined) throw new FileError('EBADF');
    return file;
  }

  /** `flags`: of `openFlag`. */
  add(node: Node, { line, name }: OpenedFile, flags: number): number {
    return this.#put(node, {
      path: () => this.#nodes.path(node),
      flags: flags & (openFlag.read | openFlag.write),
      opened: { line, name },
    });
  }

  addNowhere(node: Node): number {
    return this.#put(node, null);
  }

  async read({ host }: OpenFile, at: number, length: number): Promise<Buffer> {
    if (host === null) throw new FileError('EBADF');
    return await this.#host.read(host, at, length);
  }

  /**
   * Resolves when there is room for the next one; what is asked after it is answered after it. Throws what an earlier one failed with.
   */
  async write(file: OpenFile, at: number, bytes: Buffer): Promise<void> {
    const { host, node, writing } = file;
    if (host === null) return;
    throwOnce(file);
    const done = this.#host.write(host, at, bytes).catch((error: unknown) => void (file.failure ??= error));
    writing.push({ bytes: bytes.length, done });
    file.writingBytes += bytes.length;
    node.file = { ...node.file, sizeBytes: Math.max(node.file.sizeBytes, at + bytes.length) };
    node.openedAs = null;
    while (file.writingBytes > mostWritingBytes) await this.#oldest(file);
  }

  /** Resolves when all that was written is on the user's computer. */
  async flush(file: OpenFile): Promise<void> {
    while (file.writing.length > 0) await this.#oldest(file);
    throwOnce(file);
  }

  release(handle: number): void {
    const file = this.#files.get(handle);
    this.#files.delete(handle);
    if (file !== undefined && file.host !== null) void this.#host.close(file.host);
  }

  async #oldest(file: OpenFile): Promise<void> {
    const oldest = file.writing[0];
    if (oldest === undefined) return;
    await oldest.done;
    // Two may wait for the same one.
    if (file.writing[0] !== oldest) return;
    file.writing.shift();
    file.writingBytes -= oldest.bytes;
  }

  #put(node: Node, host: HostHandle | null): number {
    this.#lastHandle += 1;
    this.#files.set(this.#lastHandle, { node, host, writing: [], writingBytes: 0, failure: null });
    return this.#lastHandle;
  }
}

function throwOnce(file: OpenFile): void {
  const { failure } = file;
  file.failure = null;
  if (failure !== null) throw failure instanceof Error ? failure : new Error(String(failure));
}

/** Pages that the kernel has of it stay only if it is still what it was. */
export function isUnchanged(node: Node, file: FileAttributes): boolean {
  return node.openedAs?.modifiedMs === file.modifiedMs && node.openedAs.sizeBytes === file.sizeBytes;
}
