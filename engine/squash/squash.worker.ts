/** The squash program: writes the tar of a merged range of layers, and tells its digest. Started by `Squasher`; a release bundles it as an entry of its own. */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';
import { dieWithParent } from '../kernel/die-with-parent.ts';
import { parseDigest } from '../model/ids.ts';
import { mergedTar } from './merged-tar.ts';
import type { SquashJob, SquashReport } from './squash-protocol.ts';

const report = (message: SquashReport): void => void process.send?.(message);
const progressStepBytes = 64 * 1024 * 1024;
const gatherBytes = 1024 * 1024;

dieWithParent();
process.umask(0o077);
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  try {
    report(write(message as SquashJob)); // from our own parent, of the same build
  } catch (error) {
    report({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
});

function write({ range, lowers, file }: SquashJob): SquashReport {
  const hash = createHash('sha256');
  const fd = openSync(file, 'wx', 0o600);
  let sizeBytes = 0;
  let told = 0;
  try {
    for (const piece of gathered(mergedTar(range, lowers))) {
      hash.update(piece);
      for (let at = 0; at < piece.length;) at += writeSync(fd, piece, at);
      sizeBytes += piece.length;
      if (sizeBytes - told < progressStepBytes) continue;
      told = sizeBytes;
      report({ kind: 'progress', writtenBytes: sizeBytes });
    }
  } finally {
    closeSync(fd);
  }
  return { kind: 'done', digest: parseDigest(`sha256:${hash.digest('hex')}`), sizeBytes };
}

/** Headers and small files put together: a system call for each would cost more than they do. */
function* gathered(pieces: Iterable<Buffer>): Generator<Buffer, void, void> {
  let waiting: Buffer[] = [];
  let size = 0;
  for (const piece of pieces) {
    waiting.push(piece);
    size += piece.length;
    if (size < gatherBytes) continue;
    yield Buffer.concat(waiting);
    waiting = [];
    size = 0;
  }
  yield Buffer.concat(waiting);
}
