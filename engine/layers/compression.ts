/** How a layer is compressed is told by its first bytes, not by its media type: registries and old archives lie about it. */
import { pipeline, Readable, type Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { TarError } from '../../api/tar/entry.ts';
import { inflatedBzip2 } from './inflate/bzip2.ts';
import { inflatedXz, xzMagic } from './inflate/xz.ts';
import { zstdFrames } from './zstd-frames.ts';

const chunkSize = 256 * 1024;

const known: readonly {
  readonly name: string;
  readonly magic: Buffer;
  /** Inflated on the thread that asks: `all` alone takes it, in a process that may be busy with it. */
  readonly isSlow?: true;
  readonly inflate: (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;
}[] = [
  {
    name: 'gzip',
    magic: Buffer.from([0x1f, 0x8b]),
    inflate: (source) => inflated(source, createGunzip({ chunkSize })),
  },
  { name: 'zstd', magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), inflate: inflatedFrames },
  // A frame to be skipped, which pzstd writes first.
  { name: 'zstd', magic: Buffer.from([0x50, 0x2a, 0x4d, 0x18]), inflate: inflatedFrames },
  { name: 'bzip2', isSlow: true, magic: Buffer.from('BZh'), inflate: inflatedBzip2 },
  { name: 'xz', isSlow: true, magic: xzMagic, inflate: inflatedXz },
];

const longestMagic = 6;

/**
 * The bytes themselves, whether they come plain, as gzip (several members too) or zstd, which Node's thread pool inflates
 * beside whatever the reader does with the last chunk; with `all` also as xz or bzip2. Throws TarError for compressed data
 * that is broken, and for a format that is not read here.
 */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  formats: 'fast' | 'all' = 'fast',
): AsyncGenerator<Buffer, void, void> {
  const chunks = source[Symbol.asyncIterator]();
  try {
    const { head, isEnd } = await firstBytes(chunks);
    const format = known.find(({ magic }) => startsWith(head, magic));
    if (format?.isSlow === true && formats === 'fast')
      throw new TarError(`compressed with ${format.name}: plain, gzip and zstd can be read`);
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
