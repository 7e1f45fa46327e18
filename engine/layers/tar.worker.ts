/**
 * The tar program: puts a layer's tar together again, packs it as asked, and checks its digest. In a process of its own,
 * since it reads files synchronously and hashes. Started by `LayerTars`; a release bundles it as an entry of its own.
 */
import { createHash } from 'node:crypto';
import { createReadStream, writeSync } from 'node:fs';
import { pipeline, Readable, type Transform } from 'node:stream';
import { constants as zlib, createGzip, createZstdCompress } from 'node:zlib';
import { dieWithParent } from '../kernel/die-with-parent.ts';
import { parseDigest } from '../model/ids.ts';
import { decompressed } from './compression.ts';
import { rebuiltTar } from './recipe/rebuild-tar.ts';
import type { Packing, TarJob, TarReport } from './tar-protocol.ts';

const chunkSize = 256 * 1024;
/** Written to without the event loop: the engine's end may be slow, and this program has nothing else to do. */
const output = 4;
const report = (message: TarReport): void => void process.send?.(message);

// It may be waiting for the engine to read when that ends.
dieWithParent();
process.on('disconnect', () => process.exit(0));
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
    for (let done = 0; done < piece.length;) done += writeSync(output, piece, done);
  }
  const content = parseDigest(`sha256:${contentHash.digest('hex')}`);
  if (job.diffId !== null && content !== job.diffId)
    throw new Error(`what is unpacked of it gives ${content}: it was changed on the disk`);
  const digest = isPacked ? parseDigest(`sha256:${sentHash.digest('hex')}`) : content;
  return { kind: 'done', digest, sizeBytes };
}

function tarOf(from: TarJob['from']): Iterable<Buffer> | AsyncIterable<Buffer> {
  if ('recipe' in from) return rebuiltTar(from.folder, from.recipe);
  return decompressed(createReadStream(from.blob, { highWaterMark: chunkSize }), 'all');
}

async function* packed(tar: AsyncGenerator<Buffer, void, void>, how: Packing): AsyncGenerator<Buffer, void, void> {
  const packer = packerOf(how);
  if (packer === null) return yield* tar;
  // An error of the tar arrives through the packer, which it destroys.
  const packing = pipeline(Readable.from(lasting(tar), { objectMode: false }), packer, () => undefined);
  for await (const piece of packing) yield piece as Buffer;
}

/** What the packer has not taken yet must stay as it is. */
async function* lasting(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, void> {
  for await (const piece of pieces) yield Buffer.from(piece);
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
