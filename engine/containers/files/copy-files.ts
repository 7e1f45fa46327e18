/** cp, export and diff: a container's files, whether it runs or not. The work is done by `trees/`. */
import { EngineError, notFound } from '../../model/errors.ts';
import { readInside } from '../../rootfs/rootfs.ts';
import { resolveUser } from '../../runtime/user.ts';
import type { Change, PathStat } from '../../trees/trees.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { holdView } from './container-view.ts';
import type { Parts } from '../parts.ts';

/** Throws `not-found` in docker's words; `reference` is how the client named the container. */
export async function statFile(parts: Parts, container: Container, at: FilePath): Promise<PathStat> {
  using held = await holdView(parts, container);
  return await worded(at, parts.trees.stat(held.view, at.path));
}

export interface FilePath {
  readonly path: string;
  readonly reference: string;
}

/** `content` must be read to its end, or ended, or `signal` aborted; each piece is good until the next is asked for. */
export async function readFiles(
  parts: Parts,
  container: Container,
  at: FilePath & { readonly signal: AbortSignal },
): Promise<{ readonly stat: PathStat; readonly content: AsyncIterable<Buffer> }> {
  const held = await holdView(parts, container);
  try {
    const { stat, content } = await worded(at, parts.trees.pack(held.view, at.path, at.signal));
    publishContainerEvent(parts, container, 'archive-path');
    return { stat, content: releasing(content, held) };
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

export interface WriteOptions extends FilePath {
  readonly keepsKinds: boolean;
  /** Everything becomes the container's user's. */
  readonly belongsToUser: boolean;
  readonly content: AsyncIterable<Uint8Array>;
  readonly signal: AbortSignal;
}

/** What was written before an error stays, as with docker. */
export async function writeFiles(parts: Parts, container: Container, options: WriteOptions): Promise<void> {
  const { path, keepsKinds, belongsToUser, content, signal } = options;
  using held = await holdView(parts, container);
  const owner = belongsToUser ? userOf(container, held.view.root) : null;
  await worded(options, parts.trees.unpack(held.view, { path, keepsKinds, owner }, content, signal));
  publishContainerEvent(parts, container, 'extract-to-dir');
}

/** All files of the container but those of its mounts. */
export async function exportFiles(
  parts: Parts,
  container: Container,
  signal: AbortSignal,
): Promise<AsyncIterable<Buffer>> {
  const held = parts.roots.hold(container.id);
  try {
    const content = await parts.trees.packAll(held.root.merged, signal);
    publishContainerEvent(parts, container, 'export');
    return releasing(content, held);
  } catch (error) {
    held[Symbol.dispose]();
    throw error;
  }
}

/** What the container has changed of its image. */
export async function changedFiles({ roots, trees }: Parts, { id }: Container): Promise<readonly Change[]> {
  const { upper, lowers } = roots.get(id);
  return await trees.changes({ upper, lowers });
}

function userOf({ spec }: Container, root: string): { userId: number; groupId: number } {
  const read = (file: string): ReturnType<typeof readInside> => readInside(root, file, { maxBytes: 1 << 20 });
  const { uid, gid } = resolveUser(spec.process.user, read, []);
  return { userId: uid, groupId: gid };
}

async function* releasing(content: AsyncIterable<Buffer>, held: Disposable): AsyncGenerator<Buffer, void, void> {
  using _held = held;
  yield* content;
}

async function worded<T>({ path, reference }: FilePath, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found')
      throw notFound(`Could not find the file ${path} in container ${reference}`);
    throw error;
  }
}
