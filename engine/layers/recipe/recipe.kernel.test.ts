import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bundledLayerPrograms } from '../../../test/engine/bundled-programs.ts';
import { describeWith } from '../../../test/skip.ts';
import type { TarEntry } from '../../../api/tar/entry.ts';
import { TarReader } from '../../../api/tar/reader.ts';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { openLog } from '../../diagnostics/log.ts';
import { type ChainId, parseDigest } from '../../model/ids.ts';
import { type Database, openDatabase } from '../../store/database.ts';
import type { LayerTar } from '../layer-tars.ts';
import { openLayers, type OpenLayers } from '../open-layers.ts';
import type { Packing } from '../tar-protocol.ts';
import { recipeEntries } from './recipe-entries.ts';

describeWith(['linux', 'root', { program: 'tar' }], 'the recipe of a layer', () => {
  let scratch: string;
  let database: Database;
  let opened: OpenLayers;
  let source: string;

  beforeAll(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-recipes-'));
    source = path.join(scratch, 'source');
    execFileSync('sh', ['-ec', tree], { env: { ...process.env, TREE: source } });
    database = openDatabase(scratch);
    opened = openLayers({
      database,
      dataRoot: scratch,
      log: openLog({ verbosity: 'error', write: () => undefined }),
      ...bundledLayerPrograms(),
    });
  });
  afterAll(async () => {
    await opened[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    rmSync(scratch, { recursive: true });
  });

  const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  const add = async (tar: Buffer, packed = tar): Promise<ChainId> => {
    const file = path.join(scratch, 'incoming');
    writeFileSync(file, packed);
    const source = { file, offset: 0, sizeBytes: packed.length };
    const layer = { diffId: parseDigest(digestOf(tar)), source, blobDigest: null };
    const top = await opened.layers.add([layer], { signal: AbortSignal.timeout(60_000), onProgress: () => undefined });
    rmSync(file);
    if (top === null) throw new Error('no layer');
    return top;
  };
  const tarOf = (chainId: ChainId, packing?: Packing): LayerTar =>
    opened.layers.tarOf(chainId, {
      signal: AbortSignal.timeout(60_000),
      ...(packing === undefined ? {} : { packing }),
    });
  const read = async ({ bytes }: Pick<LayerTar, 'bytes'>): Promise<Buffer> => {
    const parts: Buffer[] = [];
    for await (const part of bytes) parts.push(part);
    return Buffer.concat(parts);
  };
  const recipeOf = (chainId: ChainId): string => opened.layers.recipeFile(chainId) ?? '';
  const entry = (name: string, content = '', more: Partial<TarEntry> = {}): Buffer =>
    encodeEntry({ kind: 'file', name: Buffer.from(name, 'latin1'), ...more }, Buffer.from(content));
  const big = 'x'.repeat(700_000);

  it.each(['gnu', 'pax', 'ustar', 'v7', 'oldgnu'])('gives the tar that GNU tar wrote again (%s)', async (format) => {
    const sparse = ['gnu', 'pax', 'oldgnu'].includes(format) ? ['--sparse'] : [];
    const short = ['ustar', 'v7'].includes(format) ? ['--exclude=./nnn*'] : [];
    const nodes = format === 'v7' ? ['--exclude=./null', '--exclude=./pipe'] : [];
    const tar = execFileSync(
      'tar',
      ['-C', source, `--format=${format}`, ...sparse, ...short, ...nodes, '-cf', '-', '.'],
      {
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    const chainId = await add(tar);
    expect(digestOf(await read(tarOf(chainId)))).toBe(digestOf(tar));
  });

  it.each<[string, Buffer]>([
    ['without an end', entry('a', 'content')],
    [
      'with bytes behind its end',
      Buffer.concat([entry('a', big), endOfArchive, Buffer.from('rest'), Buffer.alloc(9000, 7)]),
    ],
    [
      'with the same name twice',
      Buffer.concat([entry('a', 'first'), entry('a', big), entry('a', 'last'), endOfArchive]),
    ],
    [
      'in which a directory gives way to a file',
      Buffer.concat([entry('d/in', big), entry('d', 'file'), entry('d', '', { kind: 'directory' }), endOfArchive]),
    ],
    [
      'in which a file was written through a link that is gone',
      Buffer.concat([
        entry('usr/lib/', '', { kind: 'directory' }),
        entry('lib', '', { kind: 'symlink', linkName: Buffer.from('usr/lib') }),
        entry('lib/x', 'through'),
        entry('lib/', '', { kind: 'directory' }),
        endOfArchive,
      ]),
    ],
    [
      'with whiteouts that have content',
      Buffer.concat([entry('.wh.gone', 'what for'), entry('d/.wh..wh..opq', big), endOfArchive]),
    ],
    ['with names that are not UTF-8', Buffer.concat([entry('na\xffme', 'x'), entry('\xc3/y', big), endOfArchive])],
    ['of nothing', Buffer.alloc(0)],
    ['of an end alone', endOfArchive],
  ])('gives a tar %s again', async (_, tar) => {
    const chainId = await add(tar, gzipSync(tar));
    expect(await read(tarOf(chainId))).toEqual(tar);
  });

  it('tells the entries in their order, as the tar does', async () => {
    const attributes = new Map([['user.note', Buffer.from('a\0b')]]);
    const tar = Buffer.concat([
      entry('d/', '', { kind: 'directory', mode: 0o2750, userId: 3_000_000_000 }),
      entry('d/file', big, { xattrs: attributes, modifiedNs: 1_234_567_890n }),
      entry('d/hard', '', { kind: 'hardlink', linkName: Buffer.from('d/file') }),
      entry('null', '', { kind: 'character-device', device: { major: 1, minor: 3 } }),
      entry('d/.wh.gone'),
      endOfArchive,
    ]);
    const expected = [...new TarReader().push(tar)].flatMap((event) =>
      event.kind === 'entry' ? [{ entry: event.entry, position: event.position }] : [],
    );
    const entries = [...recipeEntries(recipeOf(await add(tar)))];
    expect(entries.map(({ entry: one, position }) => ({ entry: one, position }))).toEqual(expected);
    expect(entries.map((one) => one.path.join('/'))).toEqual(['d', 'd/file', 'd/hard', 'null', 'd/.wh.gone']);
    expect(entries.map(({ whiteout }) => whiteout?.kind ?? null)).toEqual([null, null, null, null, 'whiteout']);
  });

  it('packs the tar as asked, and tells digest and size of what it sent', async () => {
    const tar = Buffer.concat([entry('a', big), entry('b', 'small'), endOfArchive]);
    const chainId = await add(tar);
    for (const [packing, unpack] of [
      [{ kind: 'gzip', level: 1 }, gunzipSync],
      [{ kind: 'zstd' }, zstdDecompressSync],
      [{ kind: 'none' }, (bytes: Buffer) => bytes],
    ] as const) {
      const stream = tarOf(chainId, packing);
      expect(() => stream.result()).toThrow(/not read to its end/);
      const bytes = await read(stream);
      expect(unpack(bytes)).toEqual(tar);
      expect(stream.result()).toEqual({ digest: digestOf(bytes), sizeBytes: bytes.length });
    }
  });

  it('says so when a file was changed on the disk, and is ready for the next', async () => {
    const tar = Buffer.concat([entry('a', `${big}changed`), endOfArchive]);
    const other = await add(Buffer.concat([entry('other'), endOfArchive]));
    const chainId = await add(tar);
    const file = path.join(opened.layers.find(chainId)?.folder ?? '', 'a');
    writeFileSync(file, `${big}Changed`);
    await expect(read(tarOf(chainId))).rejects.toThrow(/gives sha256:\w+: it was changed on the disk/);
    truncateSync(file, 5);
    await expect(read(tarOf(chainId))).rejects.toThrow(/"a" is shorter than it was unpacked/);
    await expect(read(tarOf(other))).resolves.toHaveLength(512 + 1024);
  });

  it('ends the work of who stops reading or gives up', async () => {
    const chainId = await add(Buffer.concat([entry('a', big.repeat(8)), endOfArchive]));
    for await (const part of tarOf(chainId).bytes) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    const impatient = new AbortController();
    const { bytes } = opened.layers.tarOf(chainId, { signal: impatient.signal });
    const reading = (async () => {
      for await (const part of bytes) if (part.length > 0) impatient.abort(new Error('enough'));
    })();
    await expect(reading).rejects.toThrow('enough');
    expect(opened.pids().length).toBeLessThan(2); // the one that unpacked, at most
  });

  it('reads the tar of a layer without a recipe from its blob, and says what to do when that is gone too', async () => {
    const tar = Buffer.concat([entry('of-old', big), endOfArchive]);
    const chainId = await add(tar);
    rmSync(recipeOf(chainId));
    database.sql.prepare('UPDATE layers SET recipe_bytes = NULL WHERE chain_id = ?').run(chainId);
    expect(() => tarOf(chainId)).toThrow(/was unpacked by an older version of Skiff.*pull or load its image anew/);
    const blob = gzipSync(tar);
    const digest = parseDigest(digestOf(blob));
    database.sql
      .prepare("INSERT INTO layer_blobs (diff_id, digest, media_type, size_bytes) VALUES (?, ?, '', 0)")
      .run(digestOf(tar), digest);
    {
      const signal = AbortSignal.timeout(60_000);
      await using ingest = await opened.content.ingest({ digest, sizeBytes: blob.length, signal });
      await ingest.write(blob);
      await ingest.commit();
    }
    expect(await read(tarOf(chainId))).toEqual(tar);
  });

  it('goes with its layer', async () => {
    const chainId = await add(Buffer.concat([entry('goes'), endOfArchive]));
    const file = recipeOf(chainId);
    expect(readFileSync(file).length).toBe(opened.layers.find(chainId)?.recipeBytes);
    await opened.layers.collect();
    mkdirSync(file); // there is nothing of that name
  });
});

const tree = String.raw`
mkdir -p "$TREE/dir/sub" "$TREE/empty"
cd "$TREE"
head -c 900000 /dev/urandom > dir/file; ln dir/file dir/hard; ln -s ../nowhere dir/soft
long=$(printf 'n%.0s' $(seq 150)); mkdir "$long"; echo long > "$long/$long"
mknod null c 1 3; mkfifo pipe
truncate -s 3M sparse; printf head | dd of=sparse conv=notrunc status=none; printf tail | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
truncate -s 1M holes; for at in $(seq 0 20000 900000); do printf x | dd of=holes bs=1 seek=$at conv=notrunc status=none; done
for n in $(seq 600); do echo "file $n" > "dir/sub/$n"; done
`;
