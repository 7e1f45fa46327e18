/**
 * gzip and zstd are inflated by Node while an archive is taken in. What Node has not (xz, bzip2) would be inflated on the
 * engine's own thread: such an archive is first written down as it is, and comes again out of a process of its own.
 */
import { open, rm } from 'node:fs/promises';
import type { LayerStore } from '../../layers/layer-store.ts';
import { EngineError, invalid } from '../../model/errors.ts';
import { spaceError } from '../space-error.ts';

const slowMagic: readonly Buffer[] = [Buffer.from('BZh'), Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])];
const longestMagic = 6;

export async function inflatedArchive(
  archive: AsyncIterable<Uint8Array>,
  parts: { readonly file: string; readonly layers: LayerStore; readonly signal: AbortSignal },
): Promise<AsyncDisposable & { readonly bytes: AsyncIterable<Uint8Array> }> {
  const { file, layers, signal } = parts;
  const { head, rest } = await peeked(archive);
  if (!slowMagic.some((magic) => head.subarray(0, magic.length).equals(magic)))
    return { bytes: rest, [Symbol.asyncDispose]: () => Promise.resolve() };
  const remove = (): Promise<void> => rm(file, { force: true });
  try {
    await using handle = await open(file, 'wx', 0o600);
    for await (const chunk of rest) {
      signal.throwIfAborted();
      await handle.writeFile(chunk);
    }
  } catch (error) {
    await remove();
    throw spaceError(error, 'to take the image archive in');
  }
  return { bytes: broken(layers.inflated(file, signal)), [Symbol.asyncDispose]: remove };
}

/** What is wrong with it is the archive's fault. */
async function* broken(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* bytes;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    throw invalid(`broken image archive: ${error.message}`, { cause: error });
  }
}

async function peeked(
  archive: AsyncIterable<Uint8Array>,
): Promise<{ readonly head: Buffer; readonly rest: AsyncIterable<Uint8Array> }> {
  const chunks = archive[Symbol.asyncIterator]();
  let head = Buffer.alloc(0);
  let isEnd = false;
  while (head.length < longestMagic && !isEnd) {
    const next = await chunks.next();
    if (next.done === true) isEnd = true;
    else head = Buffer.concat([head, next.value]);
  }
  async function* rest(): AsyncGenerator<Uint8Array, void, void> {
    try {
      if (head.length > 0) yield head;
      if (!isEnd) for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
    } finally {
      await chunks.return?.();
    }
  }
  return { head, rest: rest() };
}
