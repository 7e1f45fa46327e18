/**
 * The unpack program: reads a layer, checks its digests, writes its folder and its recipe. It runs in a process of its own, since file
 * calls are made synchronously here (several times faster than awaiting each), and what a hostile layer may do to the
 * heap happens to this process alone. Started by `UnpackWorkers`; a release bundles it as an entry of its own.
 */
import { createHash, type Hash } from 'node:crypto';
import { constants, openSync, readFileSync, rmSync } from 'node:fs';
import { setPriority } from 'node:os';
import { TarError } from '../../api/tar/entry.ts';
import { heldDirectory } from '../kernel/files.ts';
import { removeTreeSync } from '../kernel/remove-tree.ts';
import { doLateWork, type LateWork } from './apply/late-work.ts';
import { decompressed } from './compression.ts';
import { lateWorkFile } from './layer.ts';
import { Arrival, sourceChunks } from './layer-source.ts';
import type { FailureReason, UnpackReport, UnpackRequest } from './unpack-protocol.ts';
import { writeLayer } from './write-layer.ts';

type UnpackJob = Extract<UnpackRequest, { verb: 'unpack' }>;

const progressStepBytes = 1024 * 1024;

const report = (message: UnpackReport): void => void process.send?.(message);
let arrival = new Arrival({ availableBytes: 0, isComplete: true });

process.umask(0);
// Who asks the engine something meanwhile is answered first.
setPriority(5);
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
    case 'remove': {
      using root = heldDirectory(openSync(request.root, constants.O_DIRECTORY));
      for (const name of request.names) {
        removeTreeSync(root.fd, name);
        report({ kind: 'progress', readBytes: 0 });
      }
      return { kind: 'removed' };
    }
  }
}

async function unpack(job: UnpackJob): Promise<UnpackReport> {
  let blobHash: Hash | null = null;
  const unpacked = await writeLayer(job, {
    read() {
      const hash = job.blobDigest === null ? null : createHash('sha256');
      blobHash = hash;
      return decompressed(
        watched(sourceChunks(job.source, arrival), (bytes) => void hash?.update(bytes)),
        'all',
      );
    },
    verify(diffId) {
      // Compression may end before the source does; the digest is of all of it.
      const blobDigest = blobHash === null ? null : `sha256:${blobHash.digest('hex')}`;
      if (blobDigest !== job.blobDigest) {
        throw new TarError(`the layer's blob has the digest ${blobDigest}, not ${job.blobDigest}`);
      }
      if (job.diffId !== null && diffId !== job.diffId) {
        throw new TarError(`the layer's content has the digest ${diffId}, but its image says ${job.diffId}`);
      }
    },
  });
  return { kind: 'unpacked', ...unpacked };
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
