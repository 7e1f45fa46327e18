/** What a layer is worth after the power was cut, and what is left when the disk is full: on a file system of its own. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import { bundledLayerPrograms } from '../../test/engine/bundled-programs.ts';
import { describeWith } from '../../test/skip.ts';
import { openLog } from '../diagnostics/log.ts';
import { systemCall } from '../kernel/libc.ts';
import { type Digest, parseDigest } from '../model/ids.ts';
import { type Database, openDatabase } from '../store/database.ts';
import type { AddOptions, IncomingLayer } from './layer-store.ts';
import { openLayers, type OpenLayers } from './open-layers.ts';

const ioctl = systemCall<[number, bigint, Uint32Array]>('int ioctl(int fd, unsigned long request, void *argument)');
/** Source: Linux, ext4.h: EXT4_IOC_SHUTDOWN, and its flag to write nothing any more, the journal neither. */
const shutDown = 0x8004587dn;
const withoutJournal = 2;

const digestOf = (bytes: Buffer): Digest => parseDigest(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
const content = (name: string): Buffer => Buffer.from(`content of ${name}\n`.repeat(40));
const tarOf = (prefix: string, count: number): Buffer =>
  Buffer.concat([
    ...Array.from({ length: count }, (_, index) => `${prefix}/${index % 7}/${index}`).map((name) =>
      encodeEntry({ kind: 'file', name: Buffer.from(name) }, content(name)),
    ),
    endOfArchive,
  ]);

describeWith(['linux', 'root', { program: 'mkfs.ext4' }, { program: 'mount' }], 'layers on a disk', () => {
  let scratch: string;
  let disk: string;
  let database: Database;
  let opened: OpenLayers;

  /** Devices that the image is behind now. The kernel lets go of one when no mount namespace has it mounted any more. */
  const loopsOfImage = (): readonly string[] =>
    readdirSync('/sys/block').filter((name) => {
      const file = `/sys/block/${name}/loop/backing_file`;
      return existsSync(file) && readFileSync(file, 'utf8').trim() === path.join(scratch, 'image');
    });
  const mount = (): void => void execFileSync('mount', ['-o', 'loop', path.join(scratch, 'image'), disk]);
  const open = (bootId = 'this boot'): void => {
    database = openDatabase(path.join(disk, 'data'));
    const log = openLog({ verbosity: 'error', write: () => undefined });
    opened = openLayers({
      database,
      dataRoot: path.join(disk, 'data'),
      log,
      bootId,
      quietMs: 60_000,
      ...bundledLayerPrograms(),
    });
  };
  const close = async (): Promise<void> => {
    await opened[Symbol.asyncDispose]();
    database[Symbol.dispose]();
  };
  beforeEach(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-disk-'));
    disk = path.join(scratch, 'disk');
    mkdirSync(disk);
    writeFileSync(path.join(scratch, 'image'), '');
    truncateSync(path.join(scratch, 'image'), 24 * 1024 * 1024);
    execFileSync('mkfs.ext4', ['-q', '-m', '0', path.join(scratch, 'image')]);
    mount();
    open();
  });
  afterEach(async () => {
    await close();
    execFileSync('umount', [disk]);
    rmSync(scratch, { recursive: true });
  });

  const incoming = (name: string, tar: Buffer): IncomingLayer => {
    const file = path.join(scratch, name);
    const packed = gzipSync(tar);
    writeFileSync(file, packed);
    const source = { file, offset: 0, sizeBytes: packed.length };
    return { diffId: digestOf(tar), source, blobDigest: digestOf(packed) };
  };
  const signal = (): AbortSignal => AbortSignal.timeout(60_000);
  const add = (
    layers: readonly IncomingLayer[],
    durability: AddOptions['durability'] = 'written',
  ): ReturnType<OpenLayers['layers']['add']> =>
    opened.layers.add(layers, { signal: signal(), durability, onProgress: () => undefined });
  const ingest = async (blob: Buffer): Promise<void> => {
    const request = { digest: digestOf(blob), sizeBytes: blob.length, signal: signal() };
    await using ingest = await opened.content.ingest(request);
    await ingest.restart(); // whatever an earlier one left
    await ingest.write(blob);
    await ingest.commit();
  };
  /** All that the kernel has not written is gone, and the next engine runs after another start of the computer. */
  const cutPower = async (): Promise<void> => {
    const fd = openSync(disk, 'r');
    ioctl('the power is cut', fd, shutDown, Uint32Array.of(withoutJournal));
    closeSync(fd);
    await opened[Symbol.asyncDispose]();
    try {
      database[Symbol.dispose]();
    } catch {
      // it cannot write to the dead disk any more
    }
    execFileSync('umount', [disk]);
    // A container that starts meanwhile has a copy of all mounts for a moment: the dead disk would be mounted once more.
    await expect.poll(loopsOfImage).toEqual([]);
    mount();
    open('next boot');
  };
  const left = (): readonly string[] => readdirSync(path.join(disk, 'data/layers'));

  it('keeps every byte of a layer and of a blob that it called complete when the power is cut, and no half of another', async () => {
    const tars = [tarOf('a', 150), tarOf('b', 150), tarOf('c', 150)];
    const top = await add(tars.map((tar, index) => incoming(`${index}`, tar)));
    const blob = randomBytes(300_000);
    await ingest(blob);
    // As who publishes an image of them does, before anybody is told.
    await opened.layers.written();
    await database.written();
    // Neither on the disk nor known: what the cut takes.
    writeFileSync(path.join(disk, 'unsynced'), content('unsynced'));
    mkdirSync(path.join(disk, 'data/layers/0123456789abcdef'));
    await cutPower();
    expect(statSync(path.join(disk, 'unsynced'), { throwIfNoEntry: false })?.size ?? 0).toBe(0);
    expect(opened.layers.stack(top).map(({ diffId }) => diffId)).toEqual(tars.map(digestOf).reverse());
    for (const [index, layer] of opened.layers.stack(top).entries()) {
      const parts: Buffer[] = [];
      for await (const part of opened.layers.tarOf(layer.chainId, { signal: signal() }).bytes) parts.push(part);
      expect(digestOf(Buffer.concat(parts))).toBe(digestOf(tars[2 - index] ?? Buffer.alloc(0)));
    }
    expect(readFileSync(opened.content.find(digestOf(blob))?.file ?? '')).toEqual(blob);
    using _hold = opened.layers.hold(top === null ? [] : [top]);
    await opened.layers.collectGarbage();
    expect(left()).toHaveLength(3 + 3);
  });

  it('drops layers and blobs that a power cut took before they were written, and what stands on them', async () => {
    const tars = [tarOf('a', 150), tarOf('b', 150)];
    const kept = await add([incoming('kept', tarOf('kept', 5))]);
    const top = await add(
      tars.map((tar, index) => incoming(`${index}`, tar)),
      'soon',
    );
    const blob = randomBytes(300_000);
    await ingest(blob);
    // The rows come to the disk, the files do not.
    await database.written();
    await cutPower();
    expect(opened.layers.lost().toSorted()).toEqual(
      opened.layers
        .stack(top)
        .map(({ chainId }) => chainId)
        .toSorted(),
    );
    expect(opened.content.find(digestOf(blob))).toBeNull();
    using _hold = opened.layers.hold(kept === null ? [] : [kept]);
    await opened.layers.collectGarbage();
    expect(left()).toHaveLength(2);
    expect(opened.layers.lost()).toEqual([]);
    await ingest(blob);
    expect(readFileSync(opened.content.find(digestOf(blob))?.file ?? '')).toEqual(blob);
    expect(opened.layers.stack(await add(tars.map((tar, index) => incoming(`${index}`, tar))))).toHaveLength(2);
  });

  it('says that the disk is full, leaves nothing of the layer, and takes it when there is room', async () => {
    const ballast = path.join(disk, 'ballast');
    const large = incoming(
      'large',
      Buffer.concat([encodeEntry({ kind: 'file', name: Buffer.from('large') }, randomBytes(6_000_000)), endOfArchive]),
    );
    fill(ballast, 3_000_000);
    // By the write of the file, or by the sync where the file system had put the write off.
    await expect(add([incoming('small', tarOf('a', 20)), large])).rejects.toThrow(/no space left on device/);
    // A bomb: 60 KB of gzip become 60 MB.
    const bomb = Buffer.concat([
      encodeEntry({ kind: 'file', name: Buffer.from('bomb') }, Buffer.alloc(60_000_000)),
      endOfArchive,
    ]);
    await expect(add([incoming('bomb', bomb)])).rejects.toThrow(/"bomb": ENOSPC: no space left on device/);
    await opened.layers.collect();
    expect(left()).toEqual([]);
    const blob = randomBytes(5_000_000);
    {
      await using ingest = await opened.content.ingest({
        digest: digestOf(blob),
        sizeBytes: blob.length,
        signal: signal(),
      });
      await expect(ingest.write(blob)).rejects.toThrow(/failed to write blob sha256:\w+: no space left on device/);
    }
    expect(readdirSync(path.join(disk, 'data/content/ingest'))).toEqual([]);
    rmSync(ballast);
    expect(opened.layers.stack(await add([large]))).toHaveLength(1);
  });

  it('makes room for a layer by dropping blobs whose layers it can write again', async () => {
    const blob = gzipSync(tarOf('kept', 10));
    const filler = Buffer.concat([blob, randomBytes(5_000_000)]);
    const top = await add([incoming('kept', tarOf('kept', 10))]);
    using _hold = opened.layers.hold(top === null ? [] : [top]);
    database.sql
      .prepare("INSERT INTO layer_blobs (diff_id, digest, media_type, size_bytes) VALUES (?, ?, '', ?)")
      .run(opened.layers.stack(top)[0]?.diffId ?? '', digestOf(filler), filler.length);
    await ingest(filler);
    fill(path.join(disk, 'ballast'), 4_000_000);
    const large = Buffer.concat([
      encodeEntry({ kind: 'file', name: Buffer.from('large') }, randomBytes(6_000_000)),
      endOfArchive,
    ]);
    expect(opened.layers.stack(await add([incoming('large', large)]))).toHaveLength(1);
    expect(opened.content.find(digestOf(filler))).toBeNull();
  });
});

/** Leaves about so much room. */
function fill(file: string, roomBytes: number): void {
  const room = (): number =>
    Number(/\d+/.exec(execFileSync('df', ['--output=avail', '-B1', path.dirname(file)]).toString())?.[0]);
  writeFileSync(file, '');
  for (let left = room(); left > roomBytes; left = room())
    appendFileSync(file, Buffer.alloc(Math.min(left - roomBytes, 1 << 20), 1));
}
