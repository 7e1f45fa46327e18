import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  constants,
  renameSync,
  openSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { bundledLayerPrograms } from '../../test/engine/bundled-programs.ts';
import { describeWith } from '../../test/skip.ts';
import { Growth } from '../content/growth.ts';
import { openLog } from '../diagnostics/log.ts';
import { attributeAt, attributeKeysAt, heldDirectory, setAttributeAt } from '../kernel/files.ts';
import { parseDigest } from '../model/ids.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { type AddOptions, chainIds, type IncomingLayer, type LayerStore } from './layer-store.ts';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import type { TarEntry } from '../../api/tar/entry.ts';
import { openLayers, type OpenLayers } from './open-layers.ts';

type Entry = Partial<Omit<TarEntry, 'name' | 'linkName'>> & { name: string; linkName?: string; content?: string };

function tarOf(...entries: readonly Entry[]): Buffer {
  const parts = entries.map(({ name, linkName, content, ...rest }) =>
    encodeEntry(
      { kind: 'file', ...rest, name: Buffer.from(name, 'latin1'), linkName: Buffer.from(linkName ?? '', 'latin1') },
      Buffer.from(content ?? ''),
    ),
  );
  return Buffer.concat([...parts, endOfArchive]);
}

const directory = (name: string, more: Partial<Entry> = {}): Entry => ({
  kind: 'directory',
  name,
  mode: 0o755,
  ...more,
});
const link = (kind: 'symlink' | 'hardlink', name: string, linkName: string): Entry => ({ kind, name, linkName });

describeWith(['linux', 'root'], 'the layer store', () => {
  let scratch: string;
  let database: Database;
  let opened: OpenLayers;
  let layers: LayerStore;
  let blobs = 0;

  const openStore = (): void => {
    database = openDatabase(path.join(scratch, 'data'));
    const log = openLog({ verbosity: 'error', write: () => undefined });
    opened = openLayers({ database, dataRoot: path.join(scratch, 'data'), log, ...bundledLayerPrograms() });
    layers = opened.layers;
  };
  const closeStore = async (): Promise<void> => {
    await opened[Symbol.asyncDispose]();
    database[Symbol.dispose]();
  };

  beforeEach(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-layers-'));
    writeFileSync(path.join(scratch, 'canary'), 'untouched');
    openStore();
  });

  afterEach(async () => {
    const pids = opened.pids();
    await closeStore();
    for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(false);
    expect(readFileSync(path.join(scratch, 'canary'), 'utf8')).toBe('untouched');
    rmSync(scratch, { recursive: true });
  });

  const incoming = (tar: Buffer, pack: (tar: Buffer) => Buffer = (same) => same): IncomingLayer => {
    const file = path.join(scratch, `blob-${(blobs += 1)}`);
    const packed = pack(tar);
    writeFileSync(file, packed);
    return {
      diffId: parseDigest(`sha256:${createHash('sha256').update(tar).digest('hex')}`),
      source: { file, offset: 0, sizeBytes: packed.length },
      blobDigest: null,
    };
  };
  const options = (more: Partial<AddOptions> = {}): AddOptions => ({
    signal: AbortSignal.timeout(60_000),
    onProgress: () => undefined,
    ...more,
  });
  const add = async (...tars: readonly Buffer[]): Promise<string> => {
    const top = await layers.add(
      tars.map((tar) => incoming(tar)),
      options(),
    );
    return layers.stack(top)[0]?.folder ?? '';
  };
  const folders = (): readonly string[] => readdirSync(path.join(scratch, 'data/layers'));
  const attribute = (folder: string, key: string): string | null => {
    using held = heldDirectory(openSync(folder, constants.O_DIRECTORY));
    return attributeAt(held.fd, '.', key)?.toString('latin1') ?? null;
  };

  it('gives every file what the archive says of it', async () => {
    const capability = Buffer.from('0100000202200000000000000000000000000000', 'hex');
    const folder = await add(
      tarOf(
        directory('./', { mode: 0o700, userId: 7, modifiedNs: 5_000_000_000n }),
        directory('bin/', { mode: 0o2775, userId: 1, groupId: 50, modifiedNs: 1_234_567_890_123_456_789n }),
        { name: 'bin/su', content: 'x', mode: 0o4755, userId: 0, groupId: 3_000_000_000, modifiedNs: -5_500_000_000n },
        { name: 'bin/ping', content: 'ping', userId: 9, xattrs: new Map([['security.capability', capability]]) },
        { kind: 'symlink', name: 'bin/sh', linkName: '/nowhere/ever', userId: 4, modifiedNs: 77_000_000_001n },
        link('hardlink', 'bin/ping2', 'bin/ping'),
        { kind: 'character-device', name: 'null', mode: 0o666, device: { major: 1, minor: 3 } },
        { kind: 'block-device', name: 'disk', device: { major: 259, minor: 70_000 } },
        { kind: 'fifo', name: 'pipe', mode: 0o620 },
        { name: 'na\xffme \xc3', content: 'bytes' },
        { name: '/absolute', content: 'lands inside' },
        { name: `${'deep/'.repeat(60)}file`, content: 'deep' },
      ),
    );
    const stat = (name: string): unknown => {
      const { mode, uid, gid, mtimeNs, nlink, rdev } = lstatSync(Buffer.from(path.join(folder, name), 'latin1'), {
        bigint: true,
      });
      return [(mode & 0o7777n).toString(8), uid, gid, mtimeNs, nlink, rdev];
    };
    expect(stat('')).toEqual(['700', 7n, 0n, 5_000_000_000n, 4n, 0n]);
    expect(stat('bin')).toEqual(['2775', 1n, 50n, 1_234_567_890_123_456_789n, 2n, 0n]);
    expect(stat('bin/su')).toEqual(['4755', 0n, 3_000_000_000n, -5_500_000_000n, 1n, 0n]);
    expect(stat('bin/ping2')).toEqual(['644', 9n, 0n, 0n, 2n, 0n]);
    expect(stat('bin/sh')).toEqual(['777', 4n, 0n, 77_000_000_001n, 1n, 0n]);
    expect(readlinkSync(path.join(folder, 'bin/sh'))).toBe('/nowhere/ever');
    expect(stat('null')).toEqual(['666', 0n, 0n, 0n, 1n, 0x103n]);
    expect(lstatSync(path.join(folder, 'disk')).rdev).toBe((259 << 8) | (70_000 & 0xff) | ((70_000 & ~0xff) * 4096));
    expect(lstatSync(path.join(folder, 'pipe')).isFIFO()).toBe(true);
    expect(readFileSync(Buffer.from(`${folder}/na\xffme \xc3`, 'latin1'), 'utf8')).toBe('bytes');
    expect(readFileSync(path.join(folder, 'absolute'), 'utf8')).toBe('lands inside');
    expect(readFileSync(path.join(folder, 'deep/'.repeat(60), 'file'), 'utf8')).toBe('deep');
    using bin = heldDirectory(openSync(path.join(folder, 'bin'), constants.O_DIRECTORY));
    expect(attributeAt(bin.fd, 'ping', 'security.capability')).toEqual(capability);
  });

  it.each([
    [
      'whiteout first',
      [
        { name: '.wh.gone' },
        { name: '.wh.dir' },
        { name: 'dir/new' },
        { name: '.wh.file' },
        { name: 'file', content: 'new' },
      ],
    ],
    [
      'whiteout last',
      [
        { name: 'dir/new' },
        { name: 'file', content: 'new' },
        { name: '.wh.file' },
        { name: '.wh.dir' },
        { name: '.wh.gone' },
      ],
    ],
  ])('hides what is below and keeps what the layer brings (%s)', async (_, entries) => {
    const folder = await add(
      tarOf(...entries, { name: 'opaque/.wh..wh..opq' }, { name: 'opaque/kept' }, { name: '.wh..wh.plnk/1.2' }),
    );
    expect(folderContent(folder)).toEqual(['dir/', 'dir/new', 'file', 'gone', 'opaque/', 'opaque/kept']);
    expect(lstatSync(path.join(folder, 'gone')).isCharacterDevice()).toBe(true);
    expect(lstatSync(path.join(folder, 'gone')).rdev).toBe(0);
    expect(attribute(path.join(folder, 'dir'), 'trusted.overlay.opaque')).toBe('y');
    expect(attribute(path.join(folder, 'opaque'), 'trusted.overlay.opaque')).toBe('y');
    expect(attribute(folder, 'trusted.overlay.opaque')).toBeNull();
  });

  it('replaces what an earlier entry of the same name left, file by directory and directory by file', async () => {
    const folder = await add(
      tarOf({ name: 'a', content: 'old' }, { name: 'a/b', kind: 'directory' }).subarray(0, 1024),
    );
    expect(folderContent(folder)).toEqual(['a']);
    const second = await add(
      tarOf(
        { name: 'a', content: 'old' },
        directory('a'),
        { name: 'a/in', content: '1' },
        directory('d'),
        { name: 'd/in', content: '2' },
        { name: 'd', content: 'now a file' },
        link('symlink', 'l', 'a'),
        { name: 'l', content: 'no link any more' },
      ),
    );
    expect(folderContent(second)).toEqual(['a/', 'a/in', 'd', 'l']);
    const third = await add(
      tarOf(
        { name: 'x/y/in', content: '1' },
        { name: 'x/other', content: 'kept' },
        { name: 'x/y', content: 'now a file' },
        link('symlink', 'x/s', 'other'),
        { name: 'x/s', content: 'no link any more' },
        directory('x/y'),
        { name: 'x/y/again', content: '2' },
        { kind: 'fifo', name: 'x/other' },
      ),
    );
    expect(folderContent(third)).toEqual(['x/', 'x/other', 'x/s', 'x/y/', 'x/y/again']);
    expect(lstatSync(path.join(third, 'x/other')).isFIFO()).toBe(true);
    expect(readFileSync(path.join(second, 'l'), 'utf8')).toBe('no link any more');
  });

  it('links to files of lower layers, and gives directories that the archive does not list their look of below', async () => {
    const folder = await add(
      tarOf(directory('etc', { mode: 0o710, userId: 5, modifiedNs: 9_000_000_000n }), {
        name: 'etc/conf',
        content: 'lower',
        mode: 0o640,
        userId: 6,
      }),
      tarOf({ name: 'unrelated' }),
      tarOf(link('hardlink', 'new/name', 'etc/conf'), link('hardlink', 'again', 'new/name'), { name: 'etc/other' }),
    );
    expect(folderContent(folder)).toEqual(['again', 'etc/', 'etc/conf', 'etc/other', 'new/', 'new/name']);
    const inode = (name: string): number => lstatSync(path.join(folder, name)).ino;
    expect([inode('new/name'), inode('again')]).toEqual([inode('etc/conf'), inode('etc/conf')]);
    expect(lstatSync(path.join(folder, 'again'))).toMatchObject({ mode: 0o100640, uid: 6, nlink: 3 });
    expect(lstatSync(path.join(folder, 'etc'))).toMatchObject({ mode: 0o40710, uid: 5, mtimeMs: 9_000 });
  });

  it('follows links that stay inside the layer, as docker does', async () => {
    const folder = await add(
      tarOf(directory('usr/lib'), link('symlink', 'lib', 'usr/lib'), { name: 'lib/x', content: 'via link' }),
    );
    expect(readFileSync(path.join(folder, 'usr/lib/x'), 'utf8')).toBe('via link');
  });

  it.each([
    ['".." in a name', [{ name: '../escaped', content: 'x' }], /"\.\.\/escaped": "\.\." in a path/],
    ['".." inside a name', [{ name: 'a/../../escaped', content: 'x' }], /"\.\." in a path/],
    [
      'a link that leads up',
      [link('symlink', 'up', '../../..'), { name: 'up/canary', content: 'x' }],
      /"up\/canary": the path goes through a link that leads out/,
    ],
    [
      'an absolute link',
      [link('symlink', 'etc', '/etc'), { name: 'etc/skiff-was-here', content: 'x' }],
      /"etc\/skiff-was-here": the path goes through a link that leads out/,
    ],
    [
      'a link to a link that leads out',
      [link('symlink', 'b', '/'), link('symlink', 'a', 'b'), { name: 'a/skiff-was-here' }],
      /leads out/,
    ],
    [
      'a link in a loop',
      [link('symlink', 'a', 'b'), link('symlink', 'b', 'a'), { name: 'a/x' }],
      /leads out|goes through/,
    ],
    [
      'a link to nowhere as a directory',
      [link('symlink', 'a', 'none'), { name: 'a/x' }],
      /a link that leads to no directory/,
    ],
    ['a file as a directory', [{ name: 'a' }, { name: 'a/b' }], /goes through "a", which is no directory/],
    ['a hard link to the outside', [link('hardlink', 'h', '../canary')], /"h": "\.\." in a path/],
    [
      'a hard link through a link',
      [link('symlink', 's', '/etc'), link('hardlink', 'h', 's/passwd')],
      /"h": the path goes through a link/,
    ],
    ['a hard link to nothing', [link('hardlink', 'h', 'etc/passwd')], /a hard link to "etc\/passwd", which is nowhere/],
    ['a hard link to a directory', [directory('d'), link('hardlink', 'h', 'd')], /"h": a hard link to a directory/],
    ['a hard link to the root', [link('hardlink', 'h', './')], /a hard link to a directory/],
    ['a whiteout that leads up', [{ name: 'a/.wh...' }], /a whiteout of no name/],
    ['a whiteout of nothing', [{ name: '.wh.' }], /a whiteout of no name/],
    ['a whiteout through a link', [link('symlink', 's', '/tmp'), { name: 's/.wh.x' }], /leads out/],
    ['an opaque whiteout through a link', [link('symlink', 's', '/tmp'), { name: 's/.wh..wh..opq' }], /leads out/],
    [
      'an opaque whiteout in a file',
      [{ name: 'f' }, { name: 'f/.wh..wh..opq' }],
      /goes through "f", which is no directory/,
    ],
    [
      'a whiteout that becomes a link that leads out',
      [{ name: '.wh.a' }, link('symlink', 'a', '/tmp'), { name: 'a/x' }],
      /leads out/,
    ],
    [
      'a directory that becomes a link that leads out',
      [directory('a'), link('symlink', 'a', '/tmp'), { name: 'a/x' }],
      /leads out/,
    ],
    [
      'a hard link to a link that leads out, as a directory',
      [link('symlink', 'a', '/tmp'), link('hardlink', 'b', 'a'), { name: 'b/x' }],
      /leads out/,
    ],
    [
      'a capability that there cannot be',
      [{ name: 'c', xattrs: new Map([['security.capability', Buffer.from('x')]]) }],
      /"c": .*security\.capability/,
    ],
    ['a whiteout as a directory', [{ name: '.wh.d/file' }], /a whiteout is no directory/],
    ['a root that is a file', [{ name: './' }], /the root of a layer is a directory/],
    ['no name', [{ name: '' }], /an empty path/],
    ['a name that is too long', [{ name: 'n'.repeat(256) }], /more than 255 bytes/],
    ['a path that is too long', [{ name: 'n/'.repeat(2100) }], /more than 4095 bytes/],
    ['an owner that there cannot be', [{ name: 'x', userId: 0xffffffff }], /an owner that there cannot be/],
  ])('refuses an archive with %s, and leaves nothing of it', async (_, entries, message) => {
    await expect(add(tarOf(...entries))).rejects.toThrow(message);
    expect(folders()).toEqual([]);
    expect(existsSync('/etc/skiff-was-here') || existsSync('/skiff-was-here')).toBe(false);
  });

  it('takes more directories and links than can be sent at once, and what is below them', async () => {
    const names = Array.from({ length: 3000 }, (_, index) => `${index % 50}/${index}`);
    const folder = await add(
      tarOf(...names.map((name) => ({ ...directory(`d/${name}`), mode: 0o700, userId: 7 })), {
        name: 'file',
        content: 'x',
      }),
      tarOf(
        ...names.map((name) => ({ name: `d/${name}/new` })),
        ...names.map((name) => link('hardlink', `l/${name}`, 'file')),
      ),
    );
    expect(lstatSync(path.join(folder, 'd/7/2957'))).toMatchObject({ mode: 0o40700, uid: 7 });
    expect(lstatSync(path.join(folder, 'file')).nlink).toBe(3001);
    expect(folders().filter((name) => name.endsWith('.late'))).toEqual([]);
  });

  it("ignores attributes that are overlayfs's own", async () => {
    const folder = await add(
      tarOf(directory('d', { xattrs: new Map([['trusted.overlay.redirect', Buffer.from('/etc')]]) })),
    );
    expect(attribute(path.join(folder, 'd'), 'trusted.overlay.redirect')).toBeNull();
  });

  it('unpacks many layers side by side, each once, whoever asks, compressed or not', async () => {
    const tars = Array.from({ length: 8 }, (_, index) => tarOf({ name: `file-${index}`, content: `${index}` }));
    const packs = [gzipSync, zstdCompressSync, (tar: Buffer) => tar];
    const stack = tars.map((tar, index) => incoming(tar, (same) => packs[index % 3]?.(same) ?? same));
    const [top, same] = await Promise.all([layers.add(stack, options()), layers.add(stack, options())]);
    expect(top).toBe(same);
    expect(layers.stack(top).map(({ diffId }) => diffId)).toEqual(stack.map(({ diffId }) => diffId).reverse());
    expect(folders()).toHaveLength(8 + 8); // and the recipe of each
  });

  it('refuses content that is not what the image says, and blobs that are not what the manifest says', async () => {
    const good = incoming(tarOf({ name: 'good' }));
    const wrong = { ...incoming(tarOf({ name: 'a' })), diffId: parseDigest(`sha256:${'0'.repeat(64)}`) };
    await expect(layers.add([good, wrong], options())).rejects.toThrow(
      /has the digest sha256:\w+, but its image says sha256:000/,
    );
    const blob = { ...incoming(tarOf({ name: 'a' })), blobDigest: parseDigest(`sha256:${'1'.repeat(64)}`) };
    await expect(layers.add([blob], options())).rejects.toThrow(/blob has the digest sha256:\w+, not sha256:111/);
    const cut = incoming(tarOf({ name: 'a', content: 'x'.repeat(5000) }).subarray(0, 1000));
    await expect(layers.add([cut], options())).rejects.toThrow(/the archive ends inside "a"/);
    await layers.collect();
    expect(folders()).toEqual([]);
  });

  it('goes on for the one who stays when the other one gives up, and ends when both have', async () => {
    const stack = [incoming(tarOf({ name: 'big', content: 'x'.repeat(3_000_000) }))];
    const first = new AbortController();
    const impatient = layers.add(stack, options({ signal: first.signal }));
    const patient = layers.add(stack, options());
    first.abort(new Error('gave up'));
    await expect(impatient).rejects.toThrow('gave up');
    expect(layers.stack(await patient)).toHaveLength(1);

    const only = new AbortController();
    const other = layers.add([incoming(tarOf({ name: 'other' }))], options({ signal: only.signal }));
    only.abort(new Error('gave up'));
    await expect(other).rejects.toThrow();
    await layers.collect();
    expect(folders()).toEqual([]);
  });

  it('unpacks a layer while it is still coming, and knows when it was complete', async () => {
    const tar = tarOf({ name: 'big', content: 'x'.repeat(3_000_000) }, { name: 'last' });
    const whole = incoming(tar, (same) => gzipSync(same, { level: 0 }));
    const packed = readFileSync('file' in whole.source ? whole.source.file : '');
    const file = path.join(scratch, 'growing');
    const growth = new Growth(0);
    let readBytes = 0;
    const source = { file, finalFile: `${file}.whole`, sizeBytes: packed.length, growth };
    const adding = layers.add([{ ...whole, source }], options({ onProgress: (told) => (readBytes = told.readBytes) }));
    writeFileSync(file, packed.subarray(0, 2_000_000));
    growth.reach(2_000_000);
    await expect.poll(() => readBytes).toBeGreaterThan(1_000_000);
    appendFileSync(file, packed.subarray(2_000_000));
    renameSync(file, `${file}.whole`);
    growth.reach(packed.length);
    growth.complete();
    expect(folderContent(layers.stack(await adding)[0]?.folder ?? '')).toEqual(['big', 'last']);
  });

  it('gives up a layer whose download is given up, and finds one that was renamed before it was opened', async () => {
    const tar = tarOf({ name: 'file' });
    const file = path.join(scratch, 'growing');
    const growth = new Growth(0);
    const source = { file, finalFile: `${file}.whole`, sizeBytes: tar.length, growth };
    const layer = { ...incoming(tar), source };
    writeFileSync(file, '');
    const adding = layers.add([layer], options());
    growth.fail(new Error('the line was cut'));
    await expect(adding).rejects.toThrow('the line was cut');
    expect(folders()).toEqual([]);

    writeFileSync(source.finalFile, tar);
    const late = new Growth(tar.length);
    late.complete();
    rmSync(file);
    const top = await layers.add([{ ...layer, source: { ...source, growth: late } }], options());
    expect(layers.stack(top)).toHaveLength(1);
  });

  it('keeps what is held and removes the rest, topmost first', async () => {
    const stack = ['a', 'b', 'c'].map((name) => incoming(tarOf({ name })));
    const chain = chainIds(stack.map(({ diffId }) => diffId));
    const hold = layers.hold(chain.slice(0, 1));
    await layers.add(stack, options());
    expect(await layers.collect()).toEqual([chain[2], chain[1]]);
    hold[Symbol.dispose]();
    expect(await layers.collect()).toEqual([chain[0]]);
    expect(folders()).toEqual([]);
  });

  it('removes at boot what an engine that was killed left', async () => {
    await add(tarOf({ name: 'unneeded' }));
    mkdirSync(path.join(scratch, 'data/layers/tmp-1234/deep'), { recursive: true });
    mkdirSync(path.join(scratch, 'data/layers/0123456789abcdef'));
    await closeStore();
    openStore();
    await layers.collectGarbage();
    expect(folders()).toEqual([]);
  });

  it.each(['gnu', 'pax', 'ustar'])('unpacks as GNU tar does (%s)', async (format) => {
    const source = path.join(scratch, 'source');
    execFileSync('sh', ['-ec', gnuTree], { env: { ...process.env, TREE: source } });
    using held = heldDirectory(openSync(source, constants.O_DIRECTORY));
    setAttributeAt(held.fd, 'empty', { key: 'user.note', value: Buffer.from('a\0b') });
    const file = path.join(scratch, 'by-gnu.tar');
    const flags =
      { gnu: ['--sparse'], pax: ['--sparse', '--xattrs'], ustar: ['--exclude=./nnn*', '--exclude=longlink'] }[format] ??
      [];
    execFileSync('tar', ['-C', source, `--format=${format}`, ...flags, '-cf', file, '.']);
    const expected = path.join(scratch, 'expected');
    mkdirSync(expected);
    execFileSync('tar', ['-C', expected, '--xattrs', '--numeric-owner', '-xpf', file]);
    expect(listing(await add(readFileSync(file)))).toEqual(listing(expected));
  });
});

/** Names (directories with a slash), sorted. */
function folderContent(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .map(
      (entry) => `${path.relative(folder, path.join(entry.parentPath, entry.name))}${entry.isDirectory() ? '/' : ''}`,
    )
    .sort();
}

/** Everything that can be told of a tree. */
function listing(folder: string): Readonly<Record<string, unknown>> {
  const told: Record<string, unknown> = {};
  for (const name of ['.', ...folderContent(folder)]) {
    const file = path.join(folder, name);
    const { mode, uid, gid, nlink, rdev, mtimeNs, size, blocks } = lstatSync(file, { bigint: true });
    const type = mode & 0o170000n;
    using parent = heldDirectory(openSync(path.dirname(file), constants.O_DIRECTORY));
    const base = path.basename(file);
    told[name] = {
      facts: [mode, uid, gid, nlink, rdev, mtimeNs],
      target: type === 0o120000n ? readlinkSync(file) : null,
      content: type === 0o100000n ? createHash('sha256').update(readFileSync(file)).digest('hex') : null,
      hasHoles: type === 0o100000n && blocks * 512n < size,
      attributes: attributeKeysAt(parent.fd, base).map((key) => [key, attributeAt(parent.fd, base, key)]),
    };
  }
  return told;
}

const gnuTree = String.raw`
mkdir -p "$TREE/dir/sub" "$TREE/empty"
cd "$TREE"
echo content > dir/file; ln dir/file dir/hard; ln -s ../nowhere dir/soft
long=$(printf 'n%.0s' $(seq 150)); mkdir "$long"; echo long > "$long/$long"; ln -s "$long/$long" longlink
mknod null c 1 3; mkfifo pipe
truncate -s 3M sparse; printf head | dd of=sparse conv=notrunc status=none; printf tail | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
printf x > setuid; chown 12:34 setuid; chmod 6755 setuid; chown -h 56:78 dir/soft
chmod 1777 empty; chown 1:2 dir
touch -d '2001-02-03 04:05:06.5' dir/file; touch -h -d '1999-01-01' dir/soft; touch -d '2010-10-10' empty dir
`;
