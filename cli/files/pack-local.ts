import { createReadStream } from 'node:fs';
import { lstat, readdir, readlink } from 'node:fs/promises';
import type { BigIntStats } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { encodeHeader, endOfArchive, padding } from '../../api/tar/writer.ts';
import type { TarEntry } from '../../api/tar/entry.ts';
import { CommandError } from '../usage-error.ts';

/** A file, link or folder with all that is in it, as a tar archive whose names begin with `name` (`.`: with what is in the folder). */
export function packLocal(path: string, name: string, onBytes: (count: number) => void): Readable {
  return Readable.from(counted(packed(path, name), onBytes), { objectMode: false });
}

async function* counted(chunks: AsyncIterable<Buffer>, onBytes: (count: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield chunk;
  }
}

async function* packed(path: string, name: string): AsyncGenerator<Buffer> {
  yield* entriesOf(path, name);
  yield endOfArchive;
}

async function* entriesOf(path: string, name: string): AsyncGenerator<Buffer> {
  const stat = await lstat(path, { bigint: true });
  if (stat.isDirectory()) {
    yield encodeHeader(entryOf(stat, { kind: 'directory', name: `${name}/` }));
    for (const child of (await readdir(path)).sort()) yield* entriesOf(join(path, child), `${name}/${child}`);
  } else if (stat.isSymbolicLink()) {
    yield encodeHeader({ ...entryOf(stat, { kind: 'symlink', name }), linkName: Buffer.from(await readlink(path)) });
  } else if (stat.isFile()) {
    yield* fileEntry(path, entryOf(stat, { kind: 'file', name }));
  }
  // Sockets cannot be archived; docker leaves them out too.
}

/** Exactly as many bytes as the header says, also of a file that grows meanwhile. */
async function* fileEntry(path: string, entry: TarEntry): AsyncGenerator<Buffer> {
  yield encodeHeader(entry);
  if (entry.sizeBytes === 0) return;
  let sentBytes = 0;
  const content: AsyncIterable<Buffer> = createReadStream(path, { end: entry.sizeBytes - 1, highWaterMark: 1 << 18 });
  for await (const chunk of content) {
    sentBytes += chunk.length;
    yield chunk;
  }
  if (sentBytes < entry.sizeBytes) throw new CommandError(`${path} became shorter while it was copied`);
  yield padding(entry.sizeBytes);
}

function entryOf(stat: BigIntStats, { kind, name }: Pick<TarEntry, 'kind'> & { readonly name: string }): TarEntry {
  return {
    kind,
    name: Buffer.from(name),
    linkName: Buffer.alloc(0),
    mode: Number(stat.mode) & 0o7777,
    userId: Number(stat.uid),
    groupId: Number(stat.gid),
    sizeBytes: kind === 'file' ? Number(stat.size) : 0,
    modifiedNs: stat.mtimeNs,
    device: { major: 0, minor: 0 },
    xattrs: new Map(),
  };
}
