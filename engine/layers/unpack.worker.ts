/**
 * The unpack program: reads a layer, checks its digests, writes its folder and its recipe. It runs in a process of its own, since file
 * calls are made synchronously here (several times faster than awaiting each), and what a hostile layer may do to the
 * heap happens to this process alone. Started by `UnpackWorkers`; a release bundles it as an entry of its own.
 */
import { createHash } from 'node:crypto';
import { constants, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { heldDirectory, openAt, syncFileSystem } from '../kernel/files.ts';
import { removeTreeSync } from '../kernel/remove-tree.ts';
import { doLateWork, isLittleWork, type LateWork } from './apply/late-work.ts';
import { lateWorkFile } from './layer.ts';
import { madeDirectoryMode } from './apply/layer-folder.ts';
import { LayerWriter } from './apply/layer-writer.ts';
import { decompressed } from './compression.ts';
import { TarError } from '../../api/tar/entry.ts';
import { TarReader } from '../../api/tar/reader.ts';
import { parseDigest } from '../model/ids.ts';
import { RecipeWriter } from './recipe/recipe-file.ts';
import { Recorder } from './recipe/recorder.ts';
import { Arrival, sourceChunks } from './layer-source.ts';
import type { FailureReason, UnpackReport, UnpackRequest, Unpacked } from './unpack-protocol.ts';

type UnpackJob = Extract<UnpackRequest, { verb: 'unpack' }>;

const progressStepBytes = 1024 * 1024;

const report = (message: UnpackReport): void => void process.send?.(message);
let arrival = new Arrival({ availableBytes: 0, isComplete: true });

process.umask(0);
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  const request = message as UnpackRequest; // from our own parent, of the same build
  if (request.verb === 'grown') arrival.change(request);
  else void run(request);
});

async function run(request: Exclude<UnpackRequest, { verb: 'grown' }>): Promise<void> {
  try {
    report(await answer(request));
  } catch (error) {
    report({ kind: 'failed', ...failureOf(error) });
  }
}

async function answer(request: Exclude<UnpackRequest, { verb: 'grown' }>): Promise<UnpackReport> {
  switch (request.verb) {
    case 'unpack':
      arrival = new Arrival(request.source);
      return await unpack(request);
    case 'finish': {
      using root = heldDirectory(openSync(request.folder, constants.O_DIRECTORY));
      const file = lateWorkFile(request.folder);
      const work = JSON.parse(readFileSync(file, 'utf8')) as LateWork; // our own, of a moment ago
      rmSync(file);
      return { kind: 'finished', copiedBytes: doLateWork(root.fd, work, request.lowers) };
    }
    case 'sync': {
      using root = heldDirectory(openSync(request.folder, constants.O_DIRECTORY));
      syncFileSystem(root.fd);
      return { kind: 'synced' };
    }
  }
}

async function unpack(job: UnpackJob): Promise<UnpackReport> {
  using parent = heldDirectory(openSync(path.dirname(job.folder), constants.O_DIRECTORY));
  const name = path.basename(job.folder);
  try {
    mkdirSync(job.folder, { mode: madeDirectoryMode });
    using root = heldDirectory(openAt(parent.fd, name, constants.O_DIRECTORY));
    using writer = new LayerWriter(root.fd);
    const read = await writeBoth(job, writer);
    const work = writer.finish();
    const isLittle = isLittleWork(work);
    if (!isLittle) writeFileSync(lateWorkFile(job.folder), JSON.stringify(work), { mode: 0o600 });
    return { kind: 'unpacked', ...read, sizeBytes: writer.sizeBytes, work: isLittle ? work : 'much' };
  } catch (error) {
    removeTreeSync(parent.fd, name);
    rmSync(job.recipe, { force: true });
    throw error;
  }
}

async function writeBoth(job: UnpackJob, writer: LayerWriter): Promise<Omit<Unpacked, 'sizeBytes' | 'work'>> {
  let read: Pick<Unpacked, 'diffId' | 'tarBytes'>;
  {
    using recipe = new RecipeWriter(job.recipe);
    read = await write(job, writer, recipe);
    if (!writer.hasReplaced) return { ...read, recipeBytes: recipe.sizeBytes };
  }
  // What was replaced is nowhere but in the tar: the recipe of such a layer, a rare one, leaves nothing out.
  rmSync(job.recipe);
  using recipe = new RecipeWriter(job.recipe);
  for await (const chunk of decompressed(sourceChunks(job.source, arrival), 'all')) recipe.keep(chunk);
  recipe.end();
  return { ...read, recipeBytes: recipe.sizeBytes };
}

async function write(
  job: UnpackJob,
  writer: LayerWriter,
  recipe: RecipeWriter,
): Promise<Pick<Unpacked, 'diffId' | 'tarBytes'>> {
  let tarBytes = 0;
  const reader = new TarReader();
  const recorder = new Recorder(recipe);
  const blobHash = job.blobDigest === null ? null : createHash('sha256');
  const contentHash = createHash('sha256');
  for await (const chunk of decompressed(
    watched(sourceChunks(job.source, arrival), (bytes) => void blobHash?.update(bytes)),
    'all',
  )) {
    contentHash.update(chunk);
    tarBytes += chunk.length;
    recorder.begin(chunk);
    for (const event of reader.push(chunk)) {
      writer.take(event);
      if (event.kind === 'data' && writer.isStoring) recorder.stored(event.position, event.bytes.length);
    }
    recorder.end();
  }
  for (const event of reader.end()) writer.take(event);
  recipe.end();
  // Compression may end before the source does; the digest is of all of it.
  const blobDigest = blobHash === null ? null : `sha256:${blobHash.digest('hex')}`;
  if (blobDigest !== job.blobDigest) {
    throw new TarError(`the layer's blob has the digest ${blobDigest}, not ${job.blobDigest}`);
  }
  const diffId = parseDigest(`sha256:${contentHash.digest('hex')}`);
  if (job.diffId !== null && diffId !== job.diffId) {
    throw new TarError(`the layer's content has the digest ${diffId}, but its image says ${job.diffId}`);
  }
  return { diffId, tarBytes };
}

async function* watched(
  source: AsyncIterable<Buffer>,
  see: (bytes: Buffer) => void,
): AsyncGenerator<Buffer, void, void> {
  let at = 0;
  let told = 0;
  for await (const chunk of source) {
    at += chunk.length;
    if (at - told >= progressStepBytes) {
      report({ kind: 'progress', readBytes: at });
      told = at;
    }
    see(chunk);
    yield chunk;
  }
}

function failureOf(error: unknown): { reason: FailureReason; message: string } {
  const chain: Error[] = [];
  for (let next: unknown = error; next instanceof Error; next = next.cause) chain.push(next);
  const isFull = chain.some((one) => 'code' in one && ['ENOSPC', 'EDQUOT'].includes(String(one.code)));
  const isBroken = chain.some((one) => one instanceof TarError);
  return {
    reason: isFull ? 'no-space' : isBroken ? 'broken' : 'failed',
    message: chain[0]?.message ?? String(error),
  };
}
