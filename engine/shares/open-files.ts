import type { FileAttributes } from '../../api/shares/attributes.ts';
import { openFlag } from '../../api/shares/packets.ts';
import { type DeviceFile, DeviceLost, DeviceSilent, type ShareDevice } from './device-files.ts';
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

/** What all who have a file open have in common: the way of its contents. */
interface Contents {
  readonly files: Set<OpenFile>;
  /** So many bytes went over the line. */
  movedBytes: number;
  /** From when it was asked for on; null in it: the device has no such file. */
  device: Promise<DeviceFile | null> | null;
}

export interface OpenFilesOptions {
  readonly host: HostFiles;
  readonly nodes: Nodes;
  /** Asked at each file that is large enough. */
  readonly device: () => ShareDevice | null;
  /** Something was written that the user's computer does not know to be a container's. */
  readonly onWritten: (node: Node) => void;
}

/** A writer goes on while so much is on its way: one that waited for each answer would be as slow as the line is long. */
const mostWritingBytes = 4 * 1024 * 1024;
/** To open a file by the device takes as long as to move so much over the line. */
const worthDeviceBytes = 64 * 1024;

/** Files that are open in the machine, by the numbers that the kernel knows them by. */
export class OpenFiles {
  readonly #options: OpenFilesOptions;
  readonly #files = new Map<number, OpenFile>();
  readonly #contents = new Map<Node, Contents>();
  #lastHandle = 0;

  constructor(options: OpenFilesOptions) {
    this.#options = options;
  }

  get(handle: number): OpenFile {
    const file = this.#files.get(handle);
    if (file === undefined) throw new FileError('EBADF');
    return file;
  }

  /** `flags`: of `openFlag`. */
  add(node: Node, { line, name }: OpenedFile, flags: number): number {
    return this.#put(node, {
      path: () => this.#options.nodes.path(node),
      flags: flags & (openFlag.read | openFlag.write),
      opened: { line, name },
    });
  }

  addNowhere(node: Node): number {
    return this.#put(node, null);
  }

  async read(file: OpenFile, at: number, length: number): Promise<Buffer> {
    if (file.host === null) throw new FileError('EBADF');
    const way = this.#way(file, Math.min(length, file.node.file.sizeBytes - at));
    const device = way === null ? null : await way;
    const bytes = device === null ? null : await this.#byDevice(file.node, () => device.read(at, length));
    // One that ends too early knows of the file as it was.
    const isWhole = bytes !== null && (bytes.length === length || at + bytes.length >= file.node.file.sizeBytes);
    return isWhole ? bytes : await this.#options.host.read(file.host, at, length);
  }

  /**
   * Resolves when there is room for the next one; what is asked after it is answered after it. Throws what an earlier one failed with.
   */
  async write(file: OpenFile, at: number, bytes: Buffer): Promise<void> {
    const { host, node, writing } = file;
    if (host === null) return;
    throwOnce(file);
    const way = this.#way(file, bytes.length);
    const device = way === null ? null : await way;
    // Requests to a device overtake each other: the next one waits for this one.
    if (device !== null) return await this.#writeByDevice({ file, device, at, bytes });
    const done = this.#options.host.write(host, at, bytes).catch((error: unknown) => void (file.failure ??= error));
    writing.push({ bytes: bytes.length, done });
    file.writingBytes += bytes.length;
    this.#written(node, at + bytes.length);
    while (file.writingBytes > mostWritingBytes) await this.#oldest(file);
  }

  /** Resolves when all that was written is on the user's computer. */
  async flush(file: OpenFile): Promise<void> {
    await this.#settle(file);
    throwOnce(file);
  }

  release(handle: number): void {
    const file = this.#files.get(handle);
    this.#files.delete(handle);
    if (file === undefined || file.host === null) return;
    void this.#options.host.close(file.host);
    const contents = this.#contents.get(file.node);
    contents?.files.delete(file);
    if (contents === undefined || contents.files.size > 0) return;
    this.#contents.delete(file.node);
    void contents.device?.then((device) => device?.close());
  }

  /** Null: over the line. What is asked of the same file after it was a promise once must await it, so that nothing overtakes a write. */
  #way({ node }: OpenFile, bytes: number): Promise<DeviceFile | null> | null {
    const contents = this.#contents.get(node);
    if (contents === undefined) return null;
    contents.movedBytes += Math.max(0, bytes);
    if (contents.device === null && contents.movedBytes >= worthDeviceBytes) {
      const device = this.#options.device();
      if (device !== null) contents.device = this.#openByDevice(device, node, contents);
    }
    return contents.device;
  }

  async #openByDevice(device: ShareDevice, node: Node, contents: Contents): Promise<DeviceFile | null> {
    for (const file of contents.files) await this.#settle(file);
    const path = this.#options.nodes.inShare(node);
    return path === null ? null : await device.open(path, node.file.inode);
  }

  async #writeByDevice(of: {
    readonly file: OpenFile;
    readonly device: DeviceFile;
    readonly at: number;
    readonly bytes: Buffer;
  }): Promise<void> {
    const { file, device, at, bytes } = of;
    const { host, node } = file;
    if (host === null) return;
    this.#options.onWritten(node);
    const isDone = device.isWritable && (await this.#byDevice(node, () => writeKnown(device, at, bytes))) !== null;
    if (!isDone) await this.#options.host.write(host, at, bytes);
    this.#written(node, at + bytes.length);
    this.#options.onWritten(node);
  }

  /** Null when the device is gone: the line has it from now on. */
  async #byDevice<T>(node: Node, use: () => Promise<T>): Promise<T | null> {
    try {
      return await use();
    } catch (error) {
      if (!(error instanceof DeviceLost)) throw asFileError(error);
      const contents = this.#contents.get(node);
      if (contents !== undefined) contents.device = Promise.resolve(null);
      return null;
    }
  }

  #written(node: Node, endBytes: number): void {
    node.file = { ...node.file, sizeBytes: Math.max(node.file.sizeBytes, endBytes) };
    node.openedAs = null;
  }

  async #settle(file: OpenFile): Promise<void> {
    while (file.writing.length > 0) await this.#oldest(file);
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
    const file = { node, host, writing: [], writingBytes: 0, failure: null };
    this.#files.set(this.#lastHandle, file);
    if (host === null) return this.#lastHandle;
    const contents = this.#contents.get(node) ?? { files: new Set(), movedBytes: 0, device: null };
    contents.files.add(file);
    this.#contents.set(node, contents);
    return this.#lastHandle;
  }
}

/** What may have been written is not written again: somebody else may have written there by then. */
async function writeKnown(device: DeviceFile, at: number, bytes: Buffer): Promise<true> {
  try {
    await device.write(at, bytes);
    return true;
  } catch (error) {
    throw error instanceof DeviceSilent ? new FileError('EIO') : error;
  }
}

function throwOnce(file: OpenFile): void {
  const { failure } = file;
  file.failure = null;
  if (failure !== null) throw failure instanceof Error ? failure : new Error(String(failure));
}

function asFileError(error: unknown): Error {
  if (error instanceof FileError) return error;
  return new FileError(error instanceof Error && 'code' in error ? String(error.code) : 'EIO');
}

/** Pages that the kernel has of it stay only if it is still what it was. */
export function isUnchanged(node: Node, file: FileAttributes): boolean {
  return node.openedAs?.modifiedMs === file.modifiedMs && node.openedAs.sizeBytes === file.sizeBytes;
}
