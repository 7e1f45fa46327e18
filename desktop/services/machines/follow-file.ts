/**
 * The end of a growing text file, then what is added to it. The folder is watched, not the file: it may not be there yet,
 * and a new boot begins it anew, which shows as a file shorter than what has been read.
 */
import { watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

const pieceBytes = 64 * 1024;

export interface FollowFile {
  readonly path: string;
  readonly tailBytes: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

export async function* followFile({ path, tailBytes, follow, signal }: FollowFile): AsyncGenerator<string> {
  const change = new Change();
  // Before the first read, so that nothing falls between the two.
  using _watching = follow ? change.of(path, signal) : null;
  const decoder = new TextDecoder();
  let offset = await tailOffset(path, tailBytes);
  while (!signal.aborted) {
    const bytes = await readFrom(path, offset);
    if (bytes === 'shorter') offset = 0;
    else if (bytes.byteLength > 0) {
      offset += bytes.byteLength;
      yield decoder.decode(bytes, { stream: true });
    } else if (follow) await change.next();
    else return;
  }
}

/** Remembers that something happened until somebody waits for it. */
class Change {
  #hasHappened = false;
  #wake: (() => void) | null = null;

  of(path: string, signal: AbortSignal): Disposable {
    const happened = (): void => {
      this.#hasHappened = true;
      this.#wake?.();
    };
    const name = basename(path);
    const watcher = watch(dirname(path), (_, file) => {
      if (file === null || file === name) happened();
    });
    // The folder is gone, and the file with it: the reader finds out.
    watcher.on('error', happened);
    signal.addEventListener('abort', happened);
    return {
      [Symbol.dispose]: () => {
        watcher.close();
        signal.removeEventListener('abort', happened);
      },
    };
  }

  async next(): Promise<void> {
    if (!this.#hasHappened) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#wake = null;
    this.#hasHappened = false;
  }
}

async function tailOffset(path: string, tailBytes: number): Promise<number> {
  const size = await withFile(path, async (file) => (await file.stat()).size);
  return Math.max(0, (size ?? 0) - tailBytes);
}

async function readFrom(path: string, offset: number): Promise<Uint8Array | 'shorter'> {
  const bytes = await withFile(path, async (file) => {
    if ((await file.stat()).size < offset) return 'shorter';
    const { bytesRead, buffer } = await file.read(new Uint8Array(pieceBytes), 0, pieceBytes, offset);
    return buffer.subarray(0, bytesRead);
  });
  return bytes ?? (offset > 0 ? 'shorter' : new Uint8Array(0));
}

/** Null when the file is not there. */
async function withFile<T>(
  path: string,
  work: (file: Awaited<ReturnType<typeof open>>) => Promise<T>,
): Promise<T | null> {
  let file;
  try {
    file = await open(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}
