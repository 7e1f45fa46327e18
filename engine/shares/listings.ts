import type { FileAttributes } from '../../api/shares/attributes.ts';
import { directoryEntryBytes, entryBytes, writeDirectoryEntry } from './fuse/codec.ts';

type Entry = readonly [name: string, file: FileAttributes];

export interface ListingRequest {
  readonly handle: number;
  /** Number of entries that the reader has had. */
  readonly from: number;
  readonly roomBytes: number;
  readonly list: () => Promise<readonly Entry[]>;
  /** What goes in front of each but `.` and `..`; null: only names are asked for. */
  readonly entry: ((name: string, file: FileAttributes) => Buffer) | null;
}

/** Folders that are being read: each reader goes through the folder as it was when that began. */
export class Listings {
  readonly #open = new Map<number, readonly Entry[] | null>();
  #last = 0;

  open(): number {
    this.#last += 1;
    this.#open.set(this.#last, null);
    return this.#last;
  }

  close(handle: number): void {
    this.#open.delete(handle);
  }

  async read({ handle, from, roomBytes, list, entry }: ListingRequest): Promise<Buffer> {
    const known = this.#open.get(handle) ?? null;
    // From the start again: as if it were opened anew.
    const entries = known === null || from === 0 ? await list() : known;
    this.#open.set(handle, entries);
    const into = Buffer.alloc(roomBytes);
    const headBytes = entry === null ? 0 : entryBytes;
    let used = 0;
    for (const [index, [name, file]] of entries.slice(from).entries()) {
      const bytes = headBytes + directoryEntryBytes(name);
      if (used + bytes > roomBytes) break;
      if (entry !== null && name !== '.' && name !== '..') entry(name, file).copy(into, used);
      const next = from + index + 1;
      writeDirectoryEntry({ inode: file.inode, name, mode: file.mode, next }, into, used + headBytes);
      used += bytes;
    }
    return into.subarray(0, used);
  }
}
