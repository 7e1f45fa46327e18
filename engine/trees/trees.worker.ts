/**
 * The tree program: one job at a time, told over Node's IPC channel, bytes come over descriptor 4 and go over 5. File calls are synchronous
 * and on this thread alone: it is the one that enters a container's view. Started by `TreeWorkers`; a release bundles it
 * as an entry of its own.
 */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import net from 'node:net';
import { dieWithParent } from '../kernel/die-with-parent.ts';
import { openInRoot } from '../kernel/files.ts';
import { mountDevice } from '../kernel/mount.ts';
import { decompressed } from '../layers/compression.ts';
import type { LayerTarget, Unpacked } from '../layers/unpack-protocol.ts';
import { writeLayer } from '../layers/write-layer.ts';
import { TarError } from '../../api/tar/entry.ts';
import { TarReader } from '../../api/tar/reader.ts';
import { endOfArchive } from '../../api/tar/writer.ts';
import { EngineError, type ErrorKind, invalid } from '../model/errors.ts';
import { changesOf } from './changes.ts';
import { copyTree } from './copy-tree.ts';
import { copyUp } from './copy-up.ts';
import { diskUsageOf } from './disk-usage.ts';
import { FrameReader } from '../kernel/frames.ts';
import { insidePath } from './inside-path.ts';
import { measureTree } from './measure.ts';
import { openView } from './open-view.ts';
import { packChanges } from './pack-changes.ts';
import { packTree } from './pack.ts';
import { findPath, pathError } from './path-stat.ts';
import type { TreeJob, TreeReport, TreeResult } from './tree-protocol.ts';
import type { PathStat, UnpackInto, View } from './trees.ts';
import { TreeWriter } from './unpack.ts';

const nothing: TreeResult = { is: 'nothing' };
const report = (message: TreeReport): void => void process.send?.(message);

dieWithParent();
process.umask(0);
process.on('disconnect', () => process.exit(0));
const pipe = new net.Socket({ fd: 4, readable: true, writable: true });
// The engine has gone: there is nobody to tell.
pipe.on('error', () => process.exit(0));
const incoming = new FrameReader(pipe);
// Node starts its threads at their first work. Threads that begin inside a view would be of it, and the way back be barred.
const threads = stat('/');
process.on('message', (message) => void threads.then(() => run(message as TreeJob))); // from our own parent, of the same build

async function run(job: TreeJob): Promise<void> {
  try {
    report({ kind: 'done', result: await work(job) });
  } catch (error) {
    report({ kind: 'failed', ...failureOf(error) });
  }
}

async function work(job: TreeJob): Promise<TreeResult> {
  switch (job.verb) {
    case 'stat': {
      using view = openView(job.view);
      using found = findPath(view.root, job.path);
      return { is: 'stat', stat: found.stat };
    }
    case 'pack':
      return pack(job.view, job.path);
    case 'pack-all':
      return send(null, packAll(job.root));
    case 'write-changes':
      return { is: 'unpacked', unpacked: await writeChanges(job.upper, job.target) };
    case 'unpack':
      await unpack(job.view, job.into);
      return nothing;
    case 'copy-up':
      withDirectory(job.root, (root) =>
        withDirectory(job.folder, (folder) => copyUp({ root, path: job.path }, folder)),
      );
      return nothing;
    case 'changes':
      return { is: 'changes', changes: changesOf(job.layers) };
    case 'measure':
      return { is: 'sizes', sizes: job.folders.map(measureTree) };
    case 'usage':
      return { is: 'sizes', sizes: job.paths.map(diskUsageOf) };
    case 'copy-tree':
      return { is: 'sizes', sizes: [copyTree(job.from, job.to)] };
    case 'mount':
      mountDevice(job.device);
      return nothing;
  }
}

function pack(given: View, path: string): TreeResult {
  using view = openView(given);
  using found = findPath(view.root, path);
  const { directory, name, stat } = found;
  return send(stat, packOne({ directory, name }, Buffer.from(stat.name).toString('latin1')));
}

function* packOne(
  at: { readonly directory: number; readonly name: string },
  name: string,
): Generator<Buffer, void, void> {
  yield* packTree(at, name);
  yield endOfArchive;
}

function* packAll(root: string): Generator<Buffer, void, void> {
  const directory = openSync(root, constants.O_DIRECTORY);
  try {
    yield* packOne({ directory, name: '.' }, '');
  } finally {
    closeSync(directory);
  }
}

const signOfLifeBytes = 64 * 1024 * 1024;

function writeChanges(upper: string, target: LayerTarget): Promise<Unpacked> {
  function* read(): Generator<Buffer, void, void> {
    let untoldBytes = 0;
    for (const piece of packChanges(upper)) {
      untoldBytes += piece.length;
      if (untoldBytes >= signOfLifeBytes) {
        report({ kind: 'begun', stat: null });
        untoldBytes = 0;
      }
      yield piece;
    }
  }
  return writeLayer(target, { read, verify: () => undefined });
}

const output = 5;
/** Small pieces are put together: a write for each header would cost more than the header. */
const room = Buffer.allocUnsafeSlow(256 * 1024);

/** Without the event loop: who reads may be slow, and this program has nothing else to do. */
function send(stat: PathStat | null, content: Iterable<Buffer>): TreeResult {
  report({ kind: 'begun', stat });
  let sizeBytes = 0;
  let filled = 0;
  const flush = (): void => {
    for (let done = 0; done < filled;) done += writeSync(output, room, done, filled - done);
    sizeBytes += filled;
    filled = 0;
  };
  for (const piece of content) {
    for (let done = 0; done < piece.length;) {
      if (filled === room.length) flush();
      const copied = piece.copy(room, filled, done);
      filled += copied;
      done += copied;
    }
  }
  flush();
  return { is: 'sent', sizeBytes };
}

async function unpack(given: View, into: UnpackInto): Promise<void> {
  using view = openView(given);
  const directory = openTarget(view.root, into.path);
  try {
    view.assertWritable(directory);
    report({ kind: 'begun', stat: null });
    using writer = new TreeWriter(directory, into);
    const reader = new TarReader();
    const { bytes, rest } = receive();
    for await (const chunk of decompressed(bytes, 'all')) for (const event of reader.push(chunk)) writer.take(event);
    for (const event of reader.end()) writer.take(event);
    await rest();
    writer.finish();
  } finally {
    closeSync(directory);
  }
}

/** What the engine sends until its end frame. */
function receive(): { readonly bytes: AsyncIterable<Buffer>; rest(): Promise<void> } {
  let isEnd = false;
  async function* bytes(): AsyncGenerator<Buffer, void, void> {
    for (let next = await incoming.next(); next !== null; next = await incoming.next()) yield next;
    isEnd = true;
  }
  return {
    bytes: bytes(),
    /** What stands behind the archive: it must not be taken for the next job's. */
    async rest() {
      while (!isEnd) isEnd = (await incoming.next()) === null;
    },
  };
}

function openTarget(root: number, path: string): number {
  try {
    return openInRoot(root, insidePath(path).relative, constants.O_DIRECTORY | constants.O_RDONLY);
  } catch (error) {
    const known = pathError(error, path);
    throw known instanceof EngineError && known.kind === 'invalid'
      ? invalid('extraction point is not a directory')
      : known;
  }
}

function withDirectory(folder: string, use: (directory: number) => void): void {
  const directory = openSync(folder, constants.O_DIRECTORY);
  try {
    use(directory);
  } finally {
    closeSync(directory);
  }
}

function failureOf(error: unknown): { error: ErrorKind; message: string; cause: 'no-space' | null } {
  const message = error instanceof Error ? error.message : String(error);
  const chain: Error[] = [];
  for (let next: unknown = error; next instanceof Error; next = next.cause) chain.push(next);
  const isFull = chain.some((one) => 'code' in one && ['ENOSPC', 'EDQUOT'].includes(String(one.code)));
  if (isFull) return { error: 'internal', message: `no space left on device: ${message}`, cause: 'no-space' };
  if (error instanceof EngineError) return { error: error.kind, message, cause: null };
  return { error: chain.some((one) => one instanceof TarError) ? 'invalid' : 'internal', message, cause: null };
}
