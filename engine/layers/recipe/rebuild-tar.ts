import { closeSync, constants, openSync, readSync } from 'node:fs';
import { openBeneath } from '../../kernel/files.ts';
import { printableName, type TarEntry } from '../../../api/tar/entry.ts';
import { entryPath } from '../apply/names.ts';
import { tarSteps } from './recipe-entries.ts';

const pieceBytes = 256 * 1024;

/**
 * A layer's tar again, from its folder and its recipe. Synchronous, in pieces of 256 KiB that are good until the next one is asked
 * for; who reads it checks the digest.
 * Throws when the tree is not what was unpacked.
 */
export function* rebuiltTar(folder: string, recipe: string): Generator<Buffer, void, void> {
  const root = openSync(folder, constants.O_DIRECTORY);
  const piece = Buffer.allocUnsafe(pieceBytes);
  let filled = 0;
  let open: { readonly fd: number; readonly entry: TarEntry } | null = null;
  let entry: TarEntry | null = null;
  const close = (): void => {
    if (open !== null) closeSync(open.fd);
    open = null;
  };
  try {
    for (const step of tarSteps(recipe)) {
      if (step.kind === 'entry') {
        close();
        entry = step.entry;
        continue;
      }
      const sizeBytes = step.kind === 'kept' ? step.bytes.length : step.sizeBytes;
      for (let done = 0; done < sizeBytes;) {
        if (filled === piece.length) {
          yield piece;
          filled = 0;
        }
        const count = Math.min(sizeBytes - done, piece.length - filled);
        if (step.kind === 'kept') filled += step.bytes.copy(piece, filled, done, done + count);
        else {
          open ??= openEntry(root, entry);
          readExactly(open, { into: piece, at: filled, count, from: step.atByte + done });
          filled += count;
        }
        done += count;
      }
    }
    if (filled > 0) yield piece.subarray(0, filled);
  } finally {
    close();
    closeSync(root);
  }
}

function openEntry(root: number, entry: TarEntry | null): { readonly fd: number; readonly entry: TarEntry } {
  if (entry === null) throw new Error('content before the first entry');
  const path = entryPath(entry.name).join('/');
  return { fd: openBeneath(root, path, constants.O_RDONLY | constants.O_NOFOLLOW), entry };
}

function readExactly(
  file: { readonly fd: number; readonly entry: TarEntry },
  part: { readonly into: Buffer; readonly at: number; readonly count: number; readonly from: number },
): void {
  for (let done = 0; done < part.count;) {
    const read = readSync(file.fd, part.into, part.at + done, part.count - done, part.from + done);
    if (read === 0) throw new Error(`${printableName(file.entry.name)} is shorter than it was unpacked`);
    done += read;
  }
}
