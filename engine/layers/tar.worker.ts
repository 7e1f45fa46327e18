/**
 * The tar program: puts a layer's tar together again, packs it as asked, and checks its digest. In a process of its own,
 * since it reads files synchronously and hashes. Started by `LayerTars`; a release bundles it as an entry of its own.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import net from 'node:net';
import { pipeline, Readable, type Transform } from 'node:stream';
import { constants as zlib, createGzip, createZstdCompress } from 'node:zlib';
import { endFrames, writeFrame } from '../kernel/frames.ts';
import { parseDigest } from '../model/ids.ts';
import { decompressed } from './compression.ts';
import { rebuiltTar } from './recipe/rebuild-tar.ts';
import type { Packing, TarJob, TarReport } from './tar-protocol.ts';

const chunkSize = 256 * 1024;
const report = (message: TarReport): void => void process.send?.(message);

process.on('disconnect', () => process.exit(0));
const pipe = new net.Socket({ fd: 4, readable: true, writable: true });
// The engine has gone: there is nobody to tell.
pipe.on('error', () => process.exit(0));
process.on('message', (message) => void run(message as TarJob)); // from our own parent, of the same build

async function run(job: TarJob): Promise<void> {
  try {
    report(await send(job));
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
}

async function send(job: TarJob): Promise<TarReport> {
  const contentHash = createHash('sha256');
  const sentHash = createHash('sha256');
  let sizeBytes = 0;
  const isPacked = job.packing.kind !== 'none';
  async function* seen(): AsyncGenerator<Buffer, void, void> {
    for await (const piece of tarOf(job.from)) {
      contentHash.update(piece);
      yield piece;
    }
  }
  for await (const piece of packed(seen(), job.packing)) {
    if (isPacked) sentHash.update(piece);
    sizeBytes += piece.length;
    await writeFrame(pipe, piece);
  }
  const content = parseDigest(`sha256:${contentHash.digest('hex')}`);
  if (job.diffId !== null && content !== job.diffId)
    throw new Error(`what is unpacked of it gives ${content}: it was changed on the disk`);
  endFrames(pipe);
  const digest = isPacked ? parseDigest(`sha256:${sentHash.digest('hex')}`) : content;
  return { kind: 'done', digest, sizeBytes };
}

function tarOf(from: TarJob['from']): Iterable<Buffer> | AsyncIterable<Buffer> {
  if ('recipe' in from) return rebuiltTar(from.folder, from.recipe);
  return decompressed(createReadStream(from.blob, { highWaterMark: chunkSize }), 'all');
}

async function* packed(tar: AsyncGenerator<Buffer, void, void>, packing: Packing): AsyncGenerator<Buffer, void, void> {
  const packer = packerOf(packing);
  if (packer === null) return yield* tar;
  // An error of the tar arrives through the packer, which it destroys.
  const output = pipeline(Readable.from(tar, { objectMode: false }), packer, () => undefined);
  for await (const piece of output) yield piece as Buffer;
}

function packerOf({ kind, level }: Packing): Transform | null {
  switch (kind) {
    case 'none':
      return null;
    case 'gzip':
      return createGzip({ chunkSize, ...(level === undefined ? {} : { level }) });
    case 'zstd': {
      const params = {
        [zlib.ZSTD_c_compressionLevel]: level ?? zlib.ZSTD_CLEVEL_DEFAULT,
        [zlib.ZSTD_c_checksumFlag]: 1,
      };
      return createZstdCompress({ chunkSize, params });
    }
  }
}
