import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLog } from '../diagnostics/log.ts';
import { type Digest, hexOf, parseDigest } from '../model/ids.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { WriteOut } from '../store/write-out.ts';
import { BlobStore } from './blob-store.ts';
import type { Ingest } from './content.ts';

describe('the content store', () => {
  let scratch: string;
  let database: Database;
  let content: BlobStore;
  let writeOut: WriteOut;

  const open = (bootId = 'this boot'): void => {
    database = openDatabase(scratch);
    const log = openLog({ verbosity: 'error', write: () => undefined });
    const reserve = { around: <T>(work: () => T): T => work() };
    writeOut = new WriteOut({ database, sync: () => Promise.resolve(), bootId, log, reserve });
    content = new BlobStore({ database, dataRoot: scratch, log, writeOut, nowMs: Date.now });
  };
  const close = async (): Promise<void> => {
    await writeOut[Symbol.asyncDispose]();
    database[Symbol.dispose]();
  };
  beforeEach(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-content-'));
    open();
  });
  afterEach(async () => {
    await close();
    rmSync(scratch, { recursive: true });
  });

  const digestOf = (bytes: Buffer): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const bytes = Buffer.from('a layer as a registry keeps it');
  const digest = digestOf(bytes);
  const signal = (): AbortSignal => AbortSignal.timeout(30_000);
  const ingestOf = (sizeBytes: number | null = bytes.length): Promise<Ingest> =>
    content.ingest({ digest, sizeBytes, signal: signal() });
  const fill = async (): Promise<void> => {
    await using ingest = await ingestOf();
    await ingest.write(bytes);
    await ingest.commit();
  };
  const filesIn = (folder: string): readonly string[] => readdirSync(path.join(scratch, 'content', folder));
  const layerRow = (diffId: string, recipeBytes: number | null): void => {
    database.sql
      .prepare('INSERT INTO layers (chain_id, diff_id, folder, size_bytes, recipe_bytes) VALUES (?, ?, ?, 0, ?)')
      .run(diffId, diffId, hexOf(parseDigest(diffId)).slice(0, 16), recipeBytes);
    database.sql
      .prepare("INSERT INTO layer_blobs (diff_id, digest, media_type, size_bytes) VALUES (?, ?, '', 0)")
      .run(diffId, digest);
  };

  it('shows a blob when it is complete, and not before', async () => {
    {
      await using ingest = await ingestOf();
      await ingest.write(bytes.subarray(0, 5));
      await ingest.write(bytes.subarray(5));
      expect(content.find(digest)).toBeNull();
      expect(await ingest.commit()).toEqual(content.find(digest));
    }
    const blob = content.find(digest);
    expect(readFileSync(blob?.file ?? '')).toEqual(bytes);
    expect(filesIn('ingest')).toEqual([]);
    await using again = await ingestOf();
    expect([again.offset, again.growth.state.kind]).toEqual([bytes.length, 'complete']);
    expect(await again.commit()).toEqual(blob);
  });

  it('goes on where a try that was cut stopped, in the same engine and in the next', async () => {
    {
      await using ingest = await ingestOf();
      await ingest.write(bytes.subarray(0, 7));
    }
    {
      await using ingest = await ingestOf();
      expect(ingest.offset).toBe(7);
      await ingest.write(bytes.subarray(7, 9));
    }
    await close();
    open();
    await using ingest = await ingestOf();
    expect(ingest.offset).toBe(9);
    await ingest.write(bytes.subarray(9));
    await ingest.commit();
    expect(content.find(digest)?.sizeBytes).toBe(bytes.length);
  });

  it('begins anew when the source cannot go on in the middle', async () => {
    await using ingest = await ingestOf();
    await ingest.write(Buffer.from('a layer but of other bytes'));
    await ingest.restart();
    expect([ingest.offset, ingest.growth.availableBytes]).toEqual([0, 0]);
    await ingest.write(bytes);
    await ingest.commit();
    expect(readFileSync(content.find(digest)?.file ?? '')).toEqual(bytes);
  });

  it.each([
    ['too much', bytes.length, Buffer.concat([bytes, Buffer.from('!')]), /more than the 30 bytes/],
    ['too little', bytes.length, bytes.subarray(1), /has 29 bytes, its manifest tells 30: it was cut short/],
    ['other bytes', bytes.length, Buffer.alloc(bytes.length), /wrong content: its digest is sha256:/],
    ['other bytes of no told size', null, Buffer.alloc(10), /wrong content/],
  ])('refuses %s, and keeps nothing of it', async (_, sizeBytes, sent, message) => {
    {
      await using ingest = await ingestOf(sizeBytes);
      await expect(ingest.write(sent).then(() => ingest.commit())).rejects.toThrow(message);
      expect(ingest.growth.state).toMatchObject({ kind: 'failed' });
    }
    expect([content.find(digest), filesIn('ingest'), filesIn('sha256')]).toEqual([null, [], []]);
  });

  it('lets one write at a time: the second waits, finds it there, or gives up', async () => {
    const first = await ingestOf();
    const second = ingestOf();
    const impatient = new AbortController();
    const third = content.ingest({ digest, sizeBytes: null, signal: impatient.signal });
    impatient.abort(new Error('no longer'));
    await expect(third).rejects.toThrow('no longer');
    await first.write(bytes);
    await first.commit();
    await first[Symbol.asyncDispose]();
    await using found = await second;
    expect(found.offset).toBe(bytes.length);
  });

  it('tells those who follow how far it is', async () => {
    const seen: unknown[] = [];
    {
      await using ingest = await ingestOf();
      ingest.growth.listen(() => seen.push([ingest.growth.availableBytes, ingest.growth.state.kind]));
      await ingest.write(bytes.subarray(0, 7));
    }
    expect(seen).toEqual([
      [7, 'growing'],
      [7, 'failed'],
    ]);
  });

  it('collects what no layer came from, but nothing that is held or being written', async () => {
    await fill();
    const hold = content.hold([digest]);
    expect(await content.collect()).toBe(0);
    hold[Symbol.dispose]();
    layerRow(digest, null);
    expect(await content.collect({ isSparing: true })).toBe(0);
    database.sql.exec('DELETE FROM layers');
    expect(await content.collect()).toBe(bytes.length);
    expect([content.find(digest), filesIn('sha256'), filesIn('ingest')]).toEqual([null, [], []]);
    expect(database.sql.prepare('SELECT * FROM layer_blobs').all()).toEqual([]);
  });

  it('spares the disk of blobs whose layers have a recipe, and of no others', async () => {
    await fill();
    layerRow(digest, 100);
    expect(await content.collect()).toBe(0);
    layerRow(`sha256:${'1'.repeat(64)}`, null);
    expect(await content.collect({ isSparing: true })).toBe(0);
    database.sql.exec('DELETE FROM layers WHERE recipe_bytes IS NULL');
    expect(await content.collect({ isSparing: true })).toBe(bytes.length);
    // What the layer would be called at a registry stays known.
    expect(database.sql.prepare('SELECT digest FROM layer_blobs').all()).toEqual([{ digest }]);
  });

  it('mends at boot what a kill left: files without a row, rows without a file, ingests of yesterday', async () => {
    await fill();
    const lost = content.find(digest)?.file ?? '';
    rmSync(lost);
    const unknown = path.join(scratch, 'content/sha256', 'a'.repeat(64));
    writeFileSync(unknown, 'renamed, but without a row');
    const old = path.join(scratch, 'content/ingest', 'b'.repeat(64));
    writeFileSync(old, 'old');
    utimesSync(old, 1, 1);
    writeFileSync(path.join(scratch, 'content/ingest', `trash-${'c'.repeat(64)}`), 'trash');
    await close();
    open();
    expect(content.find(digest)).toBeNull();
    expect(existsSync(unknown)).toBe(false);
    expect(filesIn('ingest')).toEqual(['a'.repeat(64)]);
  });
});
