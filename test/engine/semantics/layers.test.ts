import { createHash } from 'node:crypto';
import http from 'node:http';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TarEntry } from '../../../api/tar/entry.ts';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { archive, entriesOf } from '../archive.ts';
import { Boxes } from '../box.ts';
import { busyboxEntries, directory, file } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

type More = Partial<TarEntry>;
const hardlink = (name: string, target: string): Buffer =>
  encodeEntry({ kind: 'hardlink', name: Buffer.from(name), linkName: Buffer.from(target) });
const symlink = (name: string, target: string, more: More = {}): Buffer =>
  encodeEntry({ kind: 'symlink', name: Buffer.from(name), linkName: Buffer.from(target), mode: 0o777, ...more });
const bytesNamed = (name: string, content: string): Buffer =>
  encodeEntry({ kind: 'file', name: Buffer.from(name, 'latin1'), mode: 0o644 }, Buffer.from(content));
const tar = (...entries: readonly Buffer[]): Buffer => Buffer.concat([...entries, endOfArchive]);
const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const base = tar(...busyboxEntries());

/** A layer, and how it stands in the archive when that is not the tar itself. */
interface MadeLayer {
  readonly tar: Buffer;
  readonly packed?: Buffer;
  readonly toldDiffId?: string;
}

function configOf(layers: readonly MadeLayer[], more: object = {}): Buffer {
  const rootfs = { type: 'layers', diff_ids: layers.map((layer) => layer.toldDiffId ?? sha256(layer.tar)) };
  return Buffer.from(JSON.stringify({ architecture: 'amd64', os: 'linux', config: {}, rootfs, ...more }));
}

/** As docker saves it. */
function archiveOf(name: string, layers: readonly MadeLayer[], more: object = {}): Buffer {
  const files = layers.map((_, index) => `layer${index}.tar`);
  return tar(
    ...layers.map((layer, index) => file(files[index] ?? '', layer.packed ?? layer.tar)),
    file('config.json', configOf(layers, more)),
    file('manifest.json', JSON.stringify([{ Config: 'config.json', RepoTags: [`${name}:latest`], Layers: files }])),
  );
}

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: layers', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const load = (body: Buffer): Promise<string> =>
    new Promise((resolve, reject) => {
      const headers = { 'Content-Type': 'application/x-tar', 'Content-Length': body.length };
      const sent = http.request(
        { socketPath: engine.socket, method: 'POST', path: '/images/load?quiet=1', headers, timeout: 60_000 },
        (response) => {
          let text = '';
          response.on('data', (chunk: Buffer) => (text += chunk.toString()));
          // Messages hold quoted names, which stand escaped in JSON.
          response.once('end', () => resolve(text.replaceAll('\\"', '"')));
          response.once('error', reject);
        },
      );
      sent.once('timeout', () => sent.destroy(new Error('load: no answer')));
      sent.once('error', reject);
      sent.end(body);
    });
  const loadLayers = async (name: string, layers: readonly MadeLayer[], more: object = {}): Promise<void> => {
    expect(await load(archiveOf(name, layers, more))).toContain(`Loaded image: ${name}:latest`);
  };
  const seen = async (image: string, script: string): Promise<string> =>
    (await boxes.run(script, { config: { Image: image, Env: ['PATH=/bin'] } })).output;
  const folders = (): readonly string[] => readdirSync(path.join(engine.dataRoot, 'layers')).sort();

  it('89: a layer is the digest of its uncompressed tar, whatever it came as; empty steps of the history take none', async () => {
    const first = tar(file('a', 'first'));
    const second = tar(file('b', 'second'));
    const history = [
      { created_by: 'COPY a', empty_layer: false },
      { created_by: 'ENV x', empty_layer: true },
      { created_by: 'COPY b' },
    ];
    await loadLayers(
      'packed',
      [
        { tar: first, packed: gzipSync(first) },
        { tar: second, packed: zstdCompressSync(second) },
      ],
      {
        history,
      },
    );
    const image = (await call(engine.socket, 'GET', '/images/packed/json')).json() as Record<string, unknown>;
    expect(image['RootFS']).toEqual({ Type: 'layers', Layers: [sha256(first), sha256(second)] });
    const steps = (await call(engine.socket, 'GET', '/images/packed/history')).json() as {
      CreatedBy: string;
      Size: number;
    }[];
    expect(steps.map(({ CreatedBy, Size }) => [CreatedBy, Size])).toEqual([
      ['COPY b', 6],
      ['ENV x', 0],
      ['COPY a', 5],
    ]);
    // The same layers plain are the same layers.
    const before = folders();
    await loadLayers('plain', [{ tar: first }, { tar: second }], { history });
    expect(folders()).toEqual(before);
  });

  it.each<[string, MadeLayer, RegExp]>([
    [
      'content that is not what the config says',
      { tar: tar(file('x', '1')), toldDiffId: sha256(tar(file('x', '2'))) },
      /has the digest sha256:[0-9a-f]{64}, but its image says sha256:/,
    ],
    ['a tar that is cut', { tar: file('x', 'y'.repeat(3000)).subarray(0, 2000) }, /the archive ends inside "x"/],
    [
      'gzip that is cut',
      { tar: tar(file('x', 'y')), packed: gzipSync(tar(file('x', 'y'))).subarray(0, 40) },
      /compressed data is broken/,
    ],
    [
      'gzip of which bytes were changed',
      { tar: tar(file('x', 'y')), packed: changed(gzipSync(tar(file('x', 'yyyy'.repeat(500))), { level: 0 }), 600) },
      /compressed data is broken|wrong header checksum/,
    ],
  ])('89: refuses a layer with %s, and keeps nothing of it', async (_, layer, message) => {
    const before = folders();
    expect(await load(archiveOf('broken', [{ tar: tar(file('good', 'layer of a broken image')) }, layer]))).toMatch(
      message,
    );
    expect((await call(engine.socket, 'GET', '/images/broken/json')).status).toBe(404);
    expect(folders()).toEqual(before);
  });

  it('90: whiteouts hide what is below, in whatever order, and never what the same layer brings', async () => {
    const lower = tar(
      ...['gone', 'again', 'kept', 'dir/x', 'opaque/below', 'late/below', 'removed/x', 'tree/a/b'].map((name) =>
        file(`w/${name}`, 'lower'),
      ),
    );
    const upper = tar(
      file('w/.wh.gone', ''),
      file('w/again', 'upper'),
      file('w/.wh.again', ''),
      file('w/opaque/.wh..wh..opq', ''),
      file('w/opaque/own', 'upper'),
      file('w/late/own', 'upper'),
      file('w/late/.wh..wh..opq', ''),
      file('w/.wh.removed', ''),
      directory('w/removed/'),
      file('w/removed/new', 'upper'),
      file('w/.wh.tree', ''),
      file('w/.wh..wh.plnk/1.2', ''),
      file('w/.wh.never-there', ''),
    );
    const third = tar(file('w/gone', 'back'), file('w/tree/new', 'third'));
    await loadLayers('hidden', [{ tar: base }, { tar: lower }, { tar: upper }, { tar: third }]);
    expect((await seen('hidden', 'cd /w; find . -type f | sort; cat again gone; ls -a . | grep wh; true')).trim()).toBe(
      [
        './again',
        './dir/x',
        './gone',
        './kept',
        './late/own',
        './opaque/own',
        './removed/new',
        './tree/new',
        'upperback',
      ].join('\n'),
    );
  });

  it.each([
    ['w/.wh...', /a whiteout of no name/],
    ['w/.wh..', /a whiteout of no name/],
    ['w/.wh.', /a whiteout of no name/],
    ['.wh.../../etc', /"\.\." in a path/],
    ['w/.wh.dir/file', /a whiteout is no directory/],
  ])('90: refuses the whiteout %s', async (name, message) => {
    const before = folders();
    expect(await load(archiveOf('broken', [{ tar: tar(file(name, '')) }]))).toMatch(message);
    expect(folders()).toEqual(before);
  });

  it('91: links to files of lower layers, and files and directories that take each other’s place', async () => {
    const lower = tar(
      directory('l/', { mode: 0o750, userId: 7, modifiedNs: 1_000_000_000_000_000_000n }),
      file('l/file', 'of below', { mode: 0o640, userId: 5, groupId: 6 }),
      file('l/becomes-dir', 'file'),
      file('l/becomes-file/inside', 'x'),
    );
    const upper = tar(
      hardlink('l/second', 'l/file'),
      directory('l/becomes-dir/'),
      file('l/becomes-dir/inside', 'y'),
      file('l/becomes-file', 'now a file'),
    );
    await loadLayers('linked', [{ tar: base }, { tar: lower }, { tar: upper }]);
    const script =
      'cd /l; stat -c "%n %u:%g %a %h" file second . ; cat second; [ file -ef second ] && echo " same"; cat becomes-dir/inside becomes-file';
    expect(await seen('linked', script)).toBe(
      'file 5:6 640 2\nsecond 5:6 640 2\n. 7:0 750 1\nof below same\nynow a file',
    );
  });

  it('91: owners, modes, times, attributes, nodes and names are those of the archive', async () => {
    const long = 'n'.repeat(180);
    const capability = Buffer.from('0100000202200000000000000000000000000000', 'hex');
    const second = 1_000_000_000n;
    const layer = tar(
      directory('m/', { mode: 0o1777, modifiedNs: 981_173_106n * second }),
      file('m/setuid', 'x', { mode: 0o6755, userId: 12, groupId: 34 }),
      file('m/capable', 'x', { mode: 0o755, userId: 9, xattrs: new Map([['security.capability', capability]]) }),
      file('m/far', 'x', { userId: 3_000_000_000, groupId: 2_500_000 }),
      file('m/early', 'x', { modifiedNs: -5n * second }),
      symlink('m/link', 'nowhere', { modifiedNs: 915_148_800n * second, userId: 4 }),
      encodeEntry({
        kind: 'character-device',
        name: Buffer.from('m/null'),
        mode: 0o666,
        device: { major: 1, minor: 3 },
      }),
      encodeEntry({ kind: 'fifo', name: Buffer.from('m/pipe'), mode: 0o620 }),
      bytesNamed('m/na\xffme', 'bytes'),
      file(`m/${long}/${long}`, 'deep'),
    );
    await loadLayers('marked', [{ tar: base }, { tar: layer }]);
    const names = 'setuid capable far early link null pipe';
    expect(
      await seen(
        'marked',
        `cd /m; stat -c '%n %u:%g %a %Y %t:%T' ${names} .; ls | head -1 >/dev/null; cat na*; cat n*/n*`,
      ),
    ).toBe(
      [
        'setuid 12:34 6755 0 0:0',
        'capable 9:0 755 0 0:0',
        'far 3000000000:2500000 644 0 0:0',
        'early 0:0 644 -5 0:0',
        'link 4:0 777 915148800 0:0',
        'null 0:0 666 0 1:3',
        'pipe 0:0 620 0 0:0',
        '. 0:0 1777 981173106 0:0',
        'bytesdeep',
      ].join('\n'),
    );
    const { id } = await boxes.create('true', { config: { Image: 'marked' } });
    const copied = await archive(engine.socket, 'GET', { container: id, path: '/m/' });
    const entries = entriesOf(copied.body).map(({ entry }) => entry);
    expect(entries.find(({ name }) => name.toString().endsWith('capable'))?.xattrs.get('security.capability')).toEqual(
      capability,
    );
    expect(entries.some(({ name }) => name.toString('latin1').endsWith('na\xffme'))).toBe(true);
    await boxes.remove(id);
  });

  it('91: what is sparse stays sparse, and archives that other tools end otherwise are read', async () => {
    const map = Buffer.from('2\n0\n4\n9000000\n4\n');
    const stored = Buffer.concat([map, Buffer.alloc(512 - map.length), Buffer.from('headtail')]);
    const pax = Buffer.concat([
      record('GNU.sparse.major', '1'),
      record('GNU.sparse.minor', '0'),
      record('GNU.sparse.name', 'sparse'),
      record('GNU.sparse.realsize', '9000004'),
    ]);
    const sparse = Buffer.concat([paxHeader(pax), bytesNamed('GNUSparseFile.1/sparse', stored.toString('latin1'))]);
    const members = [file('one', '1'), file('two', '2')];
    const noEnd = Buffer.concat([file('no-end', 'x')]);
    const garbage = Buffer.concat([tar(file('garbage', 'x')), Buffer.from('what a tool left'), Buffer.alloc(3000, 1)]);
    const split = tar(...members);
    const packed = Buffer.concat([gzipSync(split.subarray(0, 700)), gzipSync(split.subarray(700))]);
    await loadLayers('odd', [
      { tar: base },
      { tar: tar(sparse) },
      { tar: noEnd },
      { tar: garbage },
      { tar: split, packed },
    ]);
    expect(
      await seen(
        'odd',
        'stat -c %s /sparse; [ $(stat -c %b /sparse) -lt 100 ] && echo holes; tail -c 4 /sparse; cat /no-end /garbage /one /two',
      ),
    ).toBe('9000004\nholes\ntailxx12');
  });

  it('92: an image of 127 layers mounts and runs, the topmost seen first', async () => {
    const layers = Array.from({ length: 126 }, (_, index) => ({
      tar: tar(file('top', `${index}`), file(`layers/${index}`, 'x')),
    }));
    await loadLayers('deep', [{ tar: base }, ...layers]);
    expect(await seen('deep', 'cat /top; echo; ls /layers | wc -l')).toBe('125\n126\n');
  }, 120_000);
});

function changed(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 0xff, at);
  return copy;
}

function record(key: string, value: string): Buffer {
  const rest = ` ${key}=${value}\n`;
  const length = String(rest.length + 2).length + rest.length;
  return Buffer.from(`${length}${rest}`);
}

/** An extended header of the entry that follows. */
function paxHeader(records: Buffer): Buffer {
  const entry = encodeEntry({ kind: 'file', name: Buffer.from('PaxHeaders/x') }, records);
  entry.write('x', 156);
  entry.fill(0x20, 148, 156);
  const sum = entry.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  entry.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return entry;
}
