/** With the real content store on a disk; the registry is what a test says. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlobStore } from '../content/blob-store.ts';
import { parseDigest } from '../model/ids.ts';
import type { RemoteBlob, Repository } from '../registry/registry.ts';
import { openDatabase } from '../store/database.ts';
import { WriteOut } from '../store/write-out.ts';
import { Downloads, type DownloadState, SpoiltRemains, type WantedBlob } from './downloads.ts';

const bytes = randomBytes(300_000);
const digest = parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
const hex = digest.slice(7);

/** A repository that has one blob, and can do nothing else. */
function repositoryOf(blob: (offset: number, signal: AbortSignal) => Promise<RemoteBlob>): Repository & {
  readonly offsets: number[];
} {
  const offsets: number[] = [];
  const refuse = (): never => {
    throw new Error('this repository only has a blob');
  };
  return {
    offsets,
    name: 'registry.example/app',
    blob: (_, { offset, signal }) => {
      offsets.push(offset);
      return blob(offset, signal);
    },
    manifest: refuse,
    findManifest: refuse,
    hasBlob: refuse,
    mountBlob: refuse,
    putBlob: refuse,
    putManifest: refuse,
    tags: refuse,
  };
}

async function* pieces(from: Buffer): AsyncGenerator<Buffer, void, void> {
  for (let at = 0; at < from.length; at += 50_000) yield from.subarray(at, at + 50_000);
}

const good = (offset: number): Promise<RemoteBlob> =>
  Promise.resolve({ offset, sizeBytes: bytes.length, bytes: pieces(bytes.subarray(offset)) });

describe('downloads', () => {
  let opened: AsyncDisposableStack;
  let content: BlobStore;
  let ingest: string;
  let downloads: Downloads;
  beforeEach(() => {
    opened = new AsyncDisposableStack();
    const dataRoot = mkdtempSync(path.join(os.tmpdir(), 'skiff-downloads-'));
    opened.defer(() => rmSync(dataRoot, { recursive: true }));
    const database = opened.use(openDatabase(dataRoot));
    const log = { debug: ignore, info: ignore, warn: ignore, error: ignore };
    const reserve = { around: <T>(work: () => T): T => work() };
    const writeOut = opened.use(
      new WriteOut({ database, sync: () => Promise.resolve(), bootId: 'this boot', log, reserve }),
    );
    content = new BlobStore({ database, dataRoot, log, writeOut, nowMs: Date.now });
    ingest = path.join(dataRoot, 'content/ingest', hex);
    downloads = new Downloads({ content, most: 1 });
  });
  afterEach(() => opened.disposeAsync());

  const wish = (repository: Repository, states: DownloadState[] = []): WantedBlob => ({
    digest,
    sizeBytes: bytes.length,
    repository,
    onState: (state) => states.push(state),
    onProgress: ignore,
  });

  it('are shared: one fetch for all who want the blob, each hearing of every state', async () => {
    const repository = repositoryOf(good);
    const [one, other]: [DownloadState[], DownloadState[]] = [[], []];
    using first = downloads.join(wish(repository, one));
    using second = downloads.join(wish(repositoryOf(good), other));
    expect(await first.done).toEqual(await second.done);
    expect(repository.offsets).toEqual([0]);
    expect(one).toEqual(['queued', 'downloading', 'verifying', 'complete']);
    expect(other).toEqual(one);
    expect(content.find(digest)?.sizeBytes).toBe(bytes.length);
  });

  it('go on from what is there, and need no registry for what is complete', async () => {
    writeFileSync(ingest, bytes.subarray(0, 120_000));
    const repository = repositoryOf(good);
    using download = downloads.join(wish(repository));
    await download.done;
    using again = downloads.join(wish(repository));
    await again.done;
    expect(repository.offsets).toEqual([120_000]);
  });

  it('begin at 0 where the registry knows no ranges', async () => {
    writeFileSync(ingest, bytes.subarray(0, 120_000));
    using download = downloads.join(wish(repositoryOf(() => good(0))));
    expect((await download.done).sizeBytes).toBe(bytes.length);
  });

  it('drop what an earlier try has spoilt, and say that another one may help', async () => {
    writeFileSync(ingest, Buffer.alloc(120_000, 7));
    const repository = repositoryOf(good);
    using spoilt = downloads.join(wish(repository));
    await expect(spoilt.done).rejects.toBeInstanceOf(SpoiltRemains);
    using again = downloads.join(wish(repository));
    await again.done;
    expect(repository.offsets).toEqual([120_000, 0]);
  });

  it('take another repository when the first does not give it', async () => {
    const forbidden = repositoryOf(() => Promise.reject(new Error('denied')));
    using first = downloads.join(wish(forbidden));
    using second = downloads.join(wish(repositoryOf(good)));
    await Promise.all([first.done, second.done]);
    expect(forbidden.offsets).toEqual([0]);
  });

  it('end with the last who leaves', async () => {
    const asked = Promise.withResolvers<AbortSignal>();
    const endless = repositoryOf((_, signal) => {
      asked.resolve(signal);
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    });
    const [first, second] = [downloads.join(wish(endless)), downloads.join(wish(endless))];
    const signal = await asked.promise;
    const ended = expect(first.done).rejects.toThrow('nobody waits');
    first[Symbol.dispose]();
    expect(signal.aborted).toBe(false);
    second[Symbol.dispose]();
    expect(signal.aborted).toBe(true);
    await ended;
    using fresh = downloads.join(wish(repositoryOf(good)));
    await fresh.done;
  });
});

function ignore(): void {
  // nobody is interested
}
