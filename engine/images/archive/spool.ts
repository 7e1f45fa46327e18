/**
 * An archive of images on its way in: written to one file as it comes, inflated if need be, with a list of what lies
 * where in it. Entries may come in any order, so nothing can be decided before the end; and since nothing is ever
 * unpacked from it by name, no name in it can do harm.
 */
import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { gathered } from '../../content/gathered.ts';
import { entryPath } from '../../layers/apply/names.ts';
import { decompressed } from '../../layers/compression.ts';
import { printableName, type TarEntry, TarError } from '../../../api/tar/entry.ts';
import { type TarEvent, TarReader } from '../../../api/tar/reader.ts';
import type { FileSlice } from '../../layers/unpack-protocol.ts';
import { internal, invalid } from '../../model/errors.ts';
import { spaceError } from '../space-error.ts';

type Entry = { readonly kind: 'file'; readonly slice: FileSlice } | { readonly kind: 'link'; readonly target: string };

/** Documents (manifests, configs) are read into memory: none of an honest image comes near. */
const longestDocument = 8 * 1024 * 1024;
const mostEntries = 100_000;
const mostLinks = 10;

export class Spool implements AsyncDisposable {
  readonly #file: string;
  readonly #handle: FileHandle;
  readonly #entries = new Map<string, Entry>();

  private constructor(file: string, handle: FileHandle) {
    this.#file = file;
    this.#handle = handle;
  }

  /** Takes the whole archive in. Throws `invalid` for one that is broken, `internal` when there is no space. */
  static async fill(request: {
    readonly archive: AsyncIterable<Uint8Array>;
    /** Absolute; must not be there yet. */
    readonly file: string;
    readonly signal: AbortSignal;
  }): Promise<Spool> {
    const spool = new Spool(request.file, await open(request.file, 'wx+', 0o600));
    try {
      await spool.#take(request.archive, request.signal);
      return spool;
    } catch (error) {
      await spool[Symbol.asyncDispose]();
      throw spoolError(error);
    }
  }

  has(name: string): boolean {
    return this.#find(name) !== null;
  }

  /** Where a file lies. Links are followed, inside the archive only. Throws `invalid` when there is none of that name. */
  slice(name: string): FileSlice {
    const slice = this.#find(name);
    if (slice === null) throw invalid(`broken image archive: ${JSON.stringify(name)} is missing`);
    return slice;
  }

  async read(name: string): Promise<Buffer> {
    const { offset, sizeBytes } = this.slice(name);
    if (sizeBytes > longestDocument) {
      throw invalid(
        `broken image archive: ${JSON.stringify(name)} has ${sizeBytes} bytes, at most ${longestDocument} are read`,
      );
    }
    const buffer = Buffer.alloc(sizeBytes);
    const { bytesRead } = await this.#handle.read(buffer, 0, sizeBytes, offset);
    if (bytesRead !== sizeBytes) throw internal(`${this.#file} ends too early`);
    return buffer;
  }

  /** Nothing of it is read any more: its bytes go, and need not be written to the disk. */
  async drop(): Promise<void> {
    await this.#handle.truncate(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close();
    await rm(this.#file, { force: true });
  }

  async #take(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    for await (const piece of gathered(this.#noted(decompressed(archive), signal))) await this.#handle.writeFile(piece);
  }

  async *#noted(chunks: AsyncIterable<Buffer>, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const reader = new TarReader();
    for await (const chunk of chunks) {
      for (const event of reader.push(chunk)) this.#note(event);
      yield chunk;
      signal.throwIfAborted();
    }
    for (const event of reader.end()) this.#note(event);
  }

  #note(event: TarEvent): void {
    if (event.kind !== 'entry') return;
    const { entry, position, isPlain } = event;
    if (this.#entries.size === mostEntries) throw new TarError(`more than ${mostEntries} entries`);
    const at = namePath(entry);
    switch (entry.kind) {
      case 'file':
        if (!isPlain) throw new TarError(`${printableName(entry.name)} is a sparse file`);
        this.#entries.set(at, {
          kind: 'file',
          slice: { file: this.#file, offset: position, sizeBytes: entry.sizeBytes },
        });
        return;
      case 'hardlink':
        this.#entries.set(at, { kind: 'link', target: linkPath(entry, '') });
        return;
      case 'symlink':
        this.#entries.set(at, { kind: 'link', target: linkPath(entry, path.posix.dirname(at)) });
        return;
      case 'directory':
      case 'fifo':
      case 'character-device':
      case 'block-device':
        return;
    }
  }

  #find(name: string): FileSlice | null {
    let next = path.posix.normalize(name);
    for (let links = 0; links <= mostLinks; links++) {
      const entry = this.#entries.get(next);
      if (entry === undefined) return null;
      if (entry.kind === 'file') return entry.slice;
      next = entry.target;
    }
    throw invalid(`broken image archive: ${JSON.stringify(name)} is a link in a loop`);
  }
}

function namePath(entry: TarEntry): string {
  try {
    return Buffer.from(entryPath(entry.name).join('/'), 'latin1').toString('utf8');
  } catch (error) {
    throw error instanceof TarError ? new TarError(`${printableName(entry.name)}: ${error.message}`) : error;
  }
}

function linkPath(entry: TarEntry, base: string): string {
  const target = path.posix.join(base, entry.linkName.toString('utf8'));
  const leadsOut = entry.linkName[0] === 0x2f || target === '..' || target.startsWith('../');
  if (leadsOut) throw new TarError(`${printableName(entry.name)}: a link that leads out of the archive`);
  return target;
}

function spoolError(error: unknown): unknown {
  if (error instanceof TarError) return invalid(`broken image archive: ${error.message}`, { cause: error });
  return spaceError(error, 'to take the image archive in');
}
