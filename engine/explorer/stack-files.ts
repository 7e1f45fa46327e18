/** Reading files of a stack of layers, each from the folder of its layer: the kernel confines the way, and follows no link at its end. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { openBeneath } from '../kernel/files.ts';
import { invalid } from '../model/errors.ts';

const pieceBytes = 256 * 1024;

/** Opens a regular file; the descriptor is the caller's. `path`: byte string, free of links. Throws `invalid` for anything else. */
export function openLayerFile(folder: string, path: string): number {
  const root = openSync(folder, constants.O_DIRECTORY | constants.O_RDONLY);
  try {
    // Not waiting: a fifo that took a file's place would stop us for good.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const fd = openBeneath(root, path, flags);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    throw invalid(`${JSON.stringify(Buffer.from(path, 'latin1').toString('utf8'))} is no file`);
  } finally {
    closeSync(root);
  }
}

/** Null when it is longer. */
export function readLayerFile(folder: string, path: string, mostBytes: number): Buffer | null {
  const fd = openLayerFile(folder, path);
  try {
    const size = fstatSync(fd).size;
    if (size > mostBytes) return null;
    const bytes = Buffer.alloc(size);
    let at = 0;
    while (at < size) {
      const count = readSync(fd, bytes, at, size - at, at);
      if (count === 0) break;
      at += count;
    }
    return bytes.subarray(0, at);
  } finally {
    closeSync(fd);
  }
}

export interface LayerFile {
  readonly folder: string;
  readonly path: string;
}

/** Whether two files hold the same bytes. */
export function isSameContent(a: LayerFile, b: LayerFile): boolean {
  const first = openLayerFile(a.folder, a.path);
  try {
    const second = openLayerFile(b.folder, b.path);
    try {
      const [left, right] = [Buffer.allocUnsafe(pieceBytes), Buffer.allocUnsafe(pieceBytes)];
      for (let at = 0; ;) {
        const [count, other] = [readSync(first, left, 0, pieceBytes, at), readSync(second, right, 0, pieceBytes, at)];
        if (count !== other || left.compare(right, 0, count, 0, count) !== 0) return false;
        if (count === 0) return true;
        at += count;
      }
    } finally {
      closeSync(second);
    }
  } finally {
    closeSync(first);
  }
}
