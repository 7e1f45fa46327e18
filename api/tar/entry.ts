/** One member of an archive, as its headers say. Nothing in it is checked for safety: who unpacks does that. */
export interface TarEntry {
  readonly kind: TarEntryKind;
  /** Bytes as they stand in the archive, without NUL. */
  readonly name: Buffer;
  /** Target of a link; empty for everything else. */
  readonly linkName: Buffer;
  /** Permission bits with setuid, setgid and sticky: 0 to 0o7777. */
  readonly mode: number;
  readonly userId: number;
  readonly groupId: number;
  /** Bytes of the file when unpacked; 0 for everything that is no file. */
  readonly sizeBytes: number;
  /** Nanoseconds since the epoch; may be negative. */
  readonly modifiedNs: bigint;
  /** Numbers of a device node; 0 and 0 for everything else. */
  readonly device: { readonly major: number; readonly minor: number };
  /** Extended attributes by name (`security.capability`). */
  readonly xattrs: ReadonlyMap<string, Buffer>;
}

export type TarEntryKind = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character-device' | 'block-device' | 'fifo';

/** An archive that is broken, or that says what this reader refuses. The message names the entry and the reason. */
export class TarError extends Error {
  override readonly name = 'TarError';
}

/** A name for a message: what is not printable stands escaped, and what is endless is cut. */
export function printableName(name: Buffer): string {
  const text = JSON.stringify(name.toString('utf8'));
  return text.length > 200 ? `${text.slice(0, 200)}…"` : text;
}

export const blockSize = 512;

/** Bytes of padding that follow `size` bytes of content. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}
