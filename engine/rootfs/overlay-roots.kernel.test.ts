import { createHash } from 'node:crypto';
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundledLayerPrograms } from '../../test/engine/bundled-programs.ts';
import { describeWith } from '../../test/skip.ts';
import { openLog } from '../diagnostics/log.ts';
import { mountFileSystem } from '../kernel/cgroup-mount.ts';
import { unmount } from '../kernel/mount.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import { openLayers, type OpenLayers } from '../layers/open-layers.ts';
import { type ChainId, newContainerId, parseDigest } from '../model/ids.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { DiskReserve } from '../store/disk-reserve.ts';
import { measureTree } from '../trees/measure.ts';
import { OverlayRoots } from './overlay-roots.ts';
import { makeDirectoryInside, readInside } from './rootfs.ts';

const directory = (name: string, mode: number, userId = 0): Buffer =>
  encodeEntry({ kind: 'directory', name: Buffer.from(name), mode, userId, modifiedNs: 7_000_000_000n });
const file = (name: string, content: string): Buffer =>
  encodeEntry({ kind: 'file', name: Buffer.from(name) }, Buffer.from(content));
const link = (name: string, to: string): Buffer =>
  encodeEntry({ kind: 'symlink', name: Buffer.from(name), linkName: Buffer.from(to) });

describeWith(['linux', 'root'], 'the root of a container', () => {
  let scratch: string;
  let database: Database;
  let opened: OpenLayers;
  let layers: LayerStore;
  let roots: OverlayRoots;
  let reserve: DiskReserve;

  beforeEach(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-roots-'));
    mountFileSystem({ type: 'tmpfs', target: scratch, options: 'size=8m' });
    reserve = new DiskReserve({ folder: path.join(scratch, 'reserve'), pieces: 2, pieceBytes: 64 * 1024 });
    database = openDatabase(scratch);
    const log = openLog({ verbosity: 'error', write: () => undefined });
    opened = openLayers({ database, dataRoot: scratch, log, ...bundledLayerPrograms() });
    layers = opened.layers;
    const measure = (folders: readonly string[]): Promise<readonly number[]> =>
      Promise.resolve(folders.map(measureTree));
    roots = new OverlayRoots({ database, layers, dataRoot: scratch, measure, reserve });
  });
  afterEach(async () => {
    await roots.collectGarbage(new Set());
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(`${scratch}/`);
    expect(readdirSync(path.join(scratch, 'containers'))).toEqual([]);
    await opened[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    reserve[Symbol.dispose]();
    unmount(scratch);
    rmSync(scratch, { recursive: true });
  });

  /** A stack of layers that an image would hold: here it is held until its first root is prepared. */
  const stackOf = async (...contents: readonly Buffer[][]): Promise<ChainId | null> => {
    const incoming = contents.map((entries, index) => {
      const tar = Buffer.concat([...entries, endOfArchive]);
      const blob = path.join(scratch, `blob-${index}`);
      writeFileSync(blob, tar);
      const diffId = parseDigest(`sha256:${createHash('sha256').update(tar).digest('hex')}`);
      return { diffId, blobDigest: null, source: { file: blob, offset: 0, sizeBytes: tar.length } };
    });
    return layers.add(incoming, { signal: AbortSignal.timeout(60_000), onProgress: () => undefined });
  };
  const prepared = async (...contents: readonly Buffer[][]): ReturnType<OverlayRoots['prepare']> =>
    roots.prepare({ id: newContainerId(), topLayer: await stackOf(...contents) });
  const facts = (name: string): unknown => {
    const { mode, uid, mtimeMs } = lstatSync(name);
    return [(mode & 0o7777).toString(8), uid, mtimeMs];
  };

  it("shows the image's files, with what every container has, and none of that as written by the container", async () => {
    const root = await prepared(
      [
        directory('./', 0o751, 3),
        directory('etc', 0o750, 4),
        file('etc/hosts', 'of the image'),
        file('gone', ''),
        file('kept', 'below'),
      ],
      [file('.wh.gone', ''), link('proc', '/etc')],
    );
    roots.mount(root.id);
    expect(readdirSync(root.merged)).toEqual(['.dockerenv', 'dev', 'etc', 'kept', 'proc', 'sys']);
    expect(facts(root.merged)).toEqual(['751', 3, 7_000]);
    expect(facts(path.join(root.merged, 'etc'))).toEqual(['750', 4, 7_000]);
    expect(readdirSync(path.join(root.merged, 'etc'))).toEqual(['hostname', 'hosts', 'mtab', 'resolv.conf']);
    expect(readFileSync(path.join(root.merged, 'etc/hosts'), 'utf8')).toBe('');
    expect(readlinkSync(path.join(root.merged, 'etc/mtab'))).toBe('/proc/mounts');
    expect(readdirSync(path.join(root.merged, 'dev'))).toEqual(['console', 'pts', 'shm']);
    expect(lstatSync(path.join(root.merged, 'proc')).isDirectory()).toBe(true);
    expect(readdirSync(root.upper)).toEqual([]);
  });

  it('does each step once, however often it is asked for', async () => {
    const topLayer = await stackOf([file('a', '12345')]);
    const id = newContainerId();
    const root = await roots.prepare({ id, topLayer });
    expect(await roots.prepare({ id, topLayer })).toEqual(root);
    await roots.unmount(id);
    expect(roots.isMounted(id)).toBe(false);
    roots.mount(id);
    roots.mount(id);
    writeFileSync(path.join(root.merged, 'b'), '123');
    expect(await roots.sizes([id])).toEqual([{ writtenBytes: 3, totalBytes: 8 }]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8').split(root.merged)).toHaveLength(2);
    await roots.unmount(id);
    await roots.unmount(id);
    roots.mount(id);
    expect(readFileSync(path.join(root.merged, 'b'), 'utf8')).toBe('123');
    await roots.remove(id);
    await roots.remove(id);
    expect(existsSync(root.folder)).toBe(false);
    expect(() => roots.get(id)).toThrow(/has no root/);
  });

  it('holds the layers of an image that is gone, and lets them go when it is removed', async () => {
    const root = await prepared([file('a', 'x')]);
    expect(await layers.collect()).toEqual([]);
    roots.mount(root.id);
    expect(readFileSync(path.join(root.merged, 'a'), 'utf8')).toBe('x');
    await roots.remove(root.id);
    expect(readdirSync(path.join(scratch, 'layers'))).toEqual([]);
  });

  it('can be made of no layer at all', async () => {
    const root = await roots.prepare({ id: newContainerId(), topLayer: null });
    roots.mount(root.id);
    expect(readdirSync(root.merged)).toEqual(['.dockerenv', 'dev', 'etc', 'proc', 'sys']);
  });

  it('can be removed when not a byte has room, by what is kept for that', async () => {
    const root = await prepared([file('a', '')]);
    reserve.fill();
    const ballast = path.join(scratch, 'ballast');
    for (let size = 1 << 20; size >= 1; size = Math.floor(size / 4)) {
      const grow = (): void => {
        for (;;) appendFileSync(ballast, Buffer.alloc(size));
      };
      expect(grow).toThrow(/ENOSPC/);
    }
    await roots.remove(root.id);
    expect(existsSync(root.folder)).toBe(false);
    rmSync(ballast);
  });

  it('removes at boot what belongs to no container, mounted or not', async () => {
    const [kept, lost] = [await prepared([file('a', '')]), await prepared([file('b', '')])];
    roots.mount(lost.id);
    mkdirSync(path.join(scratch, 'init-layers/tmp-half'));
    expect(await roots.collectGarbage(new Set([kept.id]))).toEqual([lost.id]);
    expect(existsSync(kept.upper)).toBe(true);
    expect(readdirSync(path.join(scratch, 'init-layers'))).toHaveLength(1);
  });

  it('deletes a tree that is deeper than any path', async () => {
    const root = await prepared([file('a', '')]);
    const here = process.cwd();
    try {
      process.chdir(root.upper);
      for (let depth = 0; depth < 700; depth++) {
        mkdirSync('a-long-name-of-a-directory');
        process.chdir('a-long-name-of-a-directory');
      }
    } finally {
      process.chdir(here);
    }
    await roots.remove(root.id);
    expect(existsSync(root.folder)).toBe(false);
  });

  it('is read only inside, wherever its links lead', async () => {
    const root = await prepared([
      file('real', 'content'),
      directory('etc', 0o755),
      link('etc/passwd', '/real'),
      link('up', '../../../../../../etc/hostname'),
    ]);
    roots.mount(root.id);
    symlinkSync(path.join(scratch, 'outside'), path.join(root.merged, 'absolute'));
    symlinkSync('/proc/self/root/etc/hostname', path.join(root.merged, 'magic'));
    symlinkSync('loop', path.join(root.merged, 'loop'));
    writeFileSync(path.join(scratch, 'outside'), 'secret');
    const read = (name: string): string | undefined => readInside(root.merged, name, { maxBytes: 100 })?.toString();
    expect(read('/etc/passwd')).toBe('content');
    expect(read('/up')).toBe('');
    expect(['/absolute', '/magic', '/loop', '/nothing', '/etc', '/../outside', '/real/x'].map(read)).toEqual(
      Array(7).fill(undefined),
    );
    expect(() => readInside(root.merged, '/real', { maxBytes: 3 })).toThrow(
      '/real of the container has more than 3 bytes',
    );
  });

  it('gets its working directory inside, wherever its links lead', async () => {
    const root = await prepared([
      directory('real', 0o755),
      link('inside', '/real'),
      link('outside', scratch),
      file('file', ''),
    ]);
    roots.mount(root.id);
    makeDirectoryInside(root.merged, '/inside/a/b', { userId: 5, groupId: 6 });
    expect(lstatSync(path.join(root.merged, 'real/a/b'))).toMatchObject({ uid: 5, gid: 6 });
    makeDirectoryInside(root.merged, '/real/../../../über');
    expect(readdirSync(root.merged)).toContain('über');
    makeDirectoryInside(root.merged, '/');
    expect(() => makeDirectoryInside(root.merged, '/outside/created')).toThrow(
      'cannot mkdir: /outside is not a directory',
    );
    expect(() => makeDirectoryInside(root.merged, '/file/x')).toThrow('cannot mkdir: /file is not a directory');
    expect(existsSync(path.join(scratch, 'created'))).toBe(false);
  });
});
