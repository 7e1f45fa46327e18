/** How a layer is compressed is told by its first bytes, not by its media type: registries and old archives lie about it. */
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TarError } from '../../api/tar/entry.ts';
import { zstdFrames } from './zstd-frames.ts';

const chunkSize = 256 * 1024;

const known: readonly {
  readonly magic: Buffer;
  readonly inflate: (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;
}[] = [
  { magic: Buffer.from([0x1f, 0x8b]), inflate: (source) => inflated(source, createGunzip({ chunkSize })) },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), inflate: inflatedFrames },
  // A frame to be skipped, which pzstd writes first.
  { magic: Buffer.from([0x50, 0x2a, 0x4d, 0x18]), inflate: inflatedFrames },
];

const refused: readonly { readonly magic: Buffer; readonly name: string }[] = [
  { magic: Buffer.from('BZh'), name: 'bzip2' },
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), name: 'xz' },
];

const longestMagic = 6;

/**
 * The bytes themselves, whether they come plain, as gzip (several members too) or as zstd. Inflating happens in Node's
 * thread pool, beside whatever the reader does with the last chunk. Throws TarError for compressed data that is broken.
 */
export async function* decompressed(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    const { head, isEnd } = await firstBytes(chunks);
    const other = refused.find(({ magic }) => startsWith(head, magic));
    if (other !== undefined) throw new TarError(`compressed with ${other.name}: plain, gzip and zstd can be read`);
    const format = known.find(({ magic }) => startsWith(head, magic));
    const rest = isEnd ? only(head) : headAnd(head, chunks);
    if (format === undefined) yield* rest;
    else yield* format.inflate(rest);
  } finally {
    await chunks.return?.();
  }
}

async function* inflatedFrames(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for await (const frame of zstdFrames(source)) yield* inflated(frame, createZstdDecompress({ chunkSize }));
}

async function* inflated(source: AsyncIterable<Buffer>, inflate: Transform): AsyncGenerator<Buffer, void, void> {
  // An error of the source arrives through `inflate`, which it destroys.
  const output = pipeline(Readable.from(source, { objectMode: false }), inflate, () => undefined);
  try {
    for await (const chunk of output) yield chunk as Buffer;
  } catch (error) {
    const isBroken = error instanceof Error && 'code' in error && /^(Z_|ZSTD_)/.test(String(error.code));
    throw isBroken ? new TarError(`compressed data is broken: ${error.message}`, { cause: error }) : error;
  } finally {
    inflate.destroy();
  }
}

async function firstBytes(chunks: AsyncIterator<Uint8Array>): Promise<{ head: Buffer; isEnd: boolean }> {
  let head = Buffer.alloc(0);
  while (head.length < longestMagic) {
    const next = await chunks.next();
    if (next.done === true) return { head, isEnd: true };
    head = Buffer.concat([head, next.value]);
  }
  return { head, isEnd: false };
}

async function* only(head: Buffer): AsyncGenerator<Buffer, void, void> {
  if (head.length > 0) yield head;
}

async function* headAnd(head: Buffer, chunks: AsyncIterator<Uint8Array>): AsyncGenerator<Buffer, void, void> {
  yield head;
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    const { value } = next;
    yield Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  }
}

function startsWith(head: Buffer, magic: Buffer): boolean {
  return head.subarray(0, magic.length).equals(magic);
}
