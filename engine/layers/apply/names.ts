import { TarError } from '../../../api/tar/entry.ts';

/** A name inside a layer: its parts as byte strings, none of them empty, `.` or `..`. The empty list is the root itself. */
export type EntryPath = readonly string[];

const longestPath = 4095;
const longestName = 255;

/**
 * The path of a name from an archive. A leading `/` or `./` means the layer's root, as it does to docker. Throws TarError
 * for `..`, which no honest layer has, and for what the kernel could not hold.
 */
export function entryPath(name: Buffer): EntryPath {
  if (name.length === 0) throw new TarError('an empty path');
  if (name.includes(0)) throw new TarError('a NUL in a path');
  if (name.length > longestPath) throw new TarError(`a path of more than ${longestPath} bytes`);
  const parts = name
    .toString('latin1')
    .split('/')
    .filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new TarError('".." in a path');
  if (parts.some((part) => part.length > longestName)) throw new TarError(`a name of more than ${longestName} bytes`);
  return parts;
}

export type Whiteout =
  | { readonly kind: 'whiteout'; readonly name: string }
  /** All that lower layers have in the directory is hidden. */
  | { readonly kind: 'opaque' }
  /** AUFS's own bookkeeping (`.wh..wh.plnk`, `.wh..wh.aufs`): means nothing here. */
  | { readonly kind: 'bookkeeping' };

const prefix = '.wh.';

/**
 * What the last part of a path says when it is a whiteout (source: OCI image spec, layer.md); null for an ordinary name.
 * Throws TarError where the hidden name is none, or where a whiteout is used as a directory: nothing that begins with
 * `.wh.` may appear in a container.
 */
export function whiteoutOf(path: EntryPath): Whiteout | null {
  const bookkeeping = path.findIndex((part) => part.startsWith(`${prefix}${prefix}`));
  if (bookkeeping !== -1) {
    return path.at(-1) === `${prefix}${prefix}.opq` && bookkeeping === path.length - 1
      ? { kind: 'opaque' }
      : { kind: 'bookkeeping' };
  }
  if (path.slice(0, -1).some((part) => part.startsWith(prefix))) {
    throw new TarError('a whiteout is no directory');
  }
  const last = path.at(-1);
  if (last === undefined || !last.startsWith(prefix)) return null;
  const name = last.slice(prefix.length);
  if (name === '' || name === '.' || name === '..') {
    throw new TarError('a whiteout of no name');
  }
  return { kind: 'whiteout', name };
}
