import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SkiffComparison, SkiffImageLayers, SkiffTree, SkiffTreeNode, SkiffWaste } from '../../../api/skiff.ts';
import { encodeEntry } from '../../../api/tar/writer.ts';
import { unixSocketDialer } from '../../../client/dial.ts';
import { EngineClient } from '../../../client/engine-client.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { loadLayers } from '../layered-image.ts';
import { directory, file, link } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const whiteout = (name: string): Buffer => encodeEntry({ kind: 'file', name: Buffer.from(name) });
const dpkg = (packages: Readonly<Record<string, string>>): string =>
  Object.entries(packages)
    .map(([name, version]) => `Package: ${name}\nStatus: install ok installed\nVersion: ${version}\n`)
    .join('\n');

describeWith(['linux', 'root', { program: 'crun' }], 'explorer', () => {
  let engine: RunningEngine;
  beforeAll(async () => {
    engine = await startEngine();
    await loadLayers(engine.socket, {
      name: 'app:1',
      history: [
        { created_by: 'ADD rootfs', created: '2024-01-02T03:04:05Z' },
        { created_by: 'ENV A=1', empty_layer: true },
        { created_by: 'RUN apt-get', comment: 'buildkit' },
        { created_by: 'RUN rm' },
      ],
      config: { Env: ['A=1', 'B=2'], Labels: { team: 'blue' } },
      layers: [
        [
          directory('etc/'),
          file('etc/motd', 'hello'),
          file('etc/big', Buffer.alloc(5000, 1)),
          link('etc/way-out', '/../../../etc/motd'),
          link('loop', 'loop'),
          directory('var/'),
          directory('var/lib/'),
          directory('var/lib/dpkg/'),
          file('var/lib/dpkg/status', dpkg({ zlib: '1', tar: '2' })),
          encodeEntry({ kind: 'file', name: Buffer.from('caf\xe9', 'latin1'), mode: 0o600 }, Buffer.from('x')),
        ],
        [directory('etc/'), file('etc/motd', 'hello, world'), file('added', 'abc')],
        [whiteout('etc/.wh.big'), whiteout('.wh.added')],
      ],
    });
    await loadLayers(engine.socket, {
      name: 'app:2',
      config: { Env: ['A=1', 'B=3'], Labels: {}, Cmd: ['/bin/other'] },
      layers: [
        [
          directory('etc/'),
          file('etc/motd', 'hello, World'),
          file('etc/big', Buffer.alloc(5000, 1), { modifiedNs: 5_000_000_000n }),
          link('loop', 'loop'),
          directory('var/'),
          directory('var/lib/'),
          directory('var/lib/dpkg/'),
          file('var/lib/dpkg/status', dpkg({ zlib: '1.1', sed: '4' })),
          encodeEntry({ kind: 'file', name: Buffer.from('caf\xe9', 'latin1'), mode: 0o644 }, Buffer.from('x')),
        ],
      ],
    });
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const get = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> =>
    call(engine.socket, 'GET', `/skiff/v1/${path}`, undefined, headers);
  const ask = async <T>(path: string): Promise<T> => {
    const { status, text } = await get(path);
    expect(status, text).toBe(200);
    return JSON.parse(text) as T;
  };
  const childOf = ({ node }: SkiffTree, name: string): SkiffTreeNode | undefined =>
    node.children?.find((child) => child.name === name);

  it('tells of each layer what made it, what it adds, changes and removes, and what of it is wasted', async () => {
    const { layers, sizeBytes, wastedBytes } = await ask<SkiffImageLayers>('images/app:1/layers');
    expect(layers.map(({ instruction, comment, createdAt }) => [instruction, comment, createdAt])).toEqual([
      ['ADD rootfs', null, '2024-01-02T03:04:05Z'],
      ['RUN apt-get', 'buildkit', null],
      ['RUN rm', null, null],
    ]);
    expect(layers.map(({ added, changed, removed }) => [added.entries, changed.entries, removed])).toEqual([
      [10, 0, { entries: 0, bytes: 0 }],
      [1, 1, { entries: 0, bytes: 0 }],
      [0, 0, { entries: 2, bytes: 5003 }],
    ]);
    expect(layers.map((layer) => layer.wastedBytes)).toEqual([5005, 3, 0]);
    expect(wastedBytes).toBe(5008);
    expect(sizeBytes).toBe(layers.reduce((sum, layer) => sum + layer.sizeBytes, 0));
  });

  it('shows the whole image with the layer that each file comes from', async () => {
    const tree = await ask<SkiffTree>('images/app:1/tree?path=/etc');
    expect(tree.node.children?.map(({ name, layer, change }) => [name, layer, change])).toEqual([
      ['big', 0, 'removed'],
      ['motd', 1, null],
      ['way-out', 0, null],
    ]);
    expect(childOf(tree, 'motd')).toMatchObject({ kind: 'file', sizeBytes: 12, mode: 0o644 });
    expect(tree.node).toMatchObject({ kind: 'directory', totalBytes: 12, totalFiles: 2, hasChangesBelow: true });
  });

  it('shows an image as it was at a layer, and what that layer did', async () => {
    const before = await ask<SkiffTree>('images/app:1/tree?path=etc&layer=0');
    expect(before.node.children?.map(({ name, change }) => [name, change])).toEqual([
      ['big', 'added'],
      ['motd', 'added'],
      ['way-out', 'added'],
    ]);
    const done = await ask<SkiffTree>('images/app:1/tree?layer=1&view=layer&depth=5');
    expect(done.node.children?.map(({ name, change }) => [name, change])).toEqual([
      ['added', 'added'],
      ['etc', null],
    ]);
    expect(childOf(done, 'etc')?.children?.map(({ name, change }) => [name, change])).toEqual([['motd', 'changed']]);
  });

  it('keeps names that are no UTF-8, in answers and in questions', async () => {
    const odd = (await ask<SkiffTree>('images/app:1/tree')).node.children?.find(({ nameBytes }) => nameBytes);
    expect(odd).toMatchObject({ name: 'caf\ufffd', nameBytes: Buffer.from('caf\xe9', 'latin1').toString('base64') });
    const { status, text } = await get('images/app:1/file?path=caf%E9');
    expect([status, text]).toEqual([200, 'x']);
    const { node } = await ask<SkiffTree>('images/app:1/tree?path=caf%e9');
    expect(node).toMatchObject({ nameBytes: odd?.nameBytes, mode: 0o600 });
  });

  it('pages the children of a directory, and opens deeper ones only while there is room', async () => {
    const first = await ask<SkiffTree>('images/app:1/tree?limit=2');
    expect(first.node.children).toHaveLength(2);
    const names: string[] = [];
    for (let next: string | null = '0'; next !== null;) {
      const page: SkiffTree = await ask<SkiffTree>(`images/app:1/tree?limit=2&depth=9&after=${next}`);
      names.push(...(page.node.children ?? []).map(({ name }) => name));
      expect(countOf(page.node)).toBeLessThanOrEqual(2);
      ({ next } = page);
    }
    expect(names).toEqual(['added', 'caf\ufffd', 'etc', 'loop', 'var']);
    const bySize = await ask<SkiffTree>('images/app:1/tree?sort=size&layer=0');
    expect(bySize.node.children?.[0]?.name).toBe('etc');
  });

  it('reads files as of a layer, whole and in parts', async () => {
    expect((await get('images/app:1/file?path=/etc/motd')).text).toBe('hello, world');
    expect((await get('images/app:1/file?path=/etc/motd&layer=0')).text).toBe('hello');
    const part = await get('images/app:1/file?path=etc/motd', { Range: 'bytes=7-' });
    expect([part.status, part.text, part.headers['content-range']]).toEqual([206, 'world', 'bytes 7-11/12']);
    const last = await get('images/app:1/file?path=etc/motd', { Range: 'bytes=-3' });
    expect(last.text).toBe('rld');
    expect((await get('images/app:1/file?path=etc/motd', { Range: 'bytes=99-' })).status).toBe(416);
    const head = await call(engine.socket, 'HEAD', '/skiff/v1/images/app:1/file?path=etc/motd');
    expect([head.status, head.headers['content-length'], head.text]).toEqual([200, '12', '']);
  });

  it('gives a file to the client as a stream', async () => {
    using client = new EngineClient(unixSocketDialer(engine.socket));
    const { content, sizeBytes } = await client.skiff.file('app:1', { path: 'etc/motd', layer: 0 });
    expect(sizeBytes).toBe(5);
    expect(Buffer.concat(await content.toArray()).toString()).toBe('hello');
  });

  it('follows links inside the image alone', async () => {
    expect((await get('images/app:1/file?path=etc/way-out')).text).toBe('hello, world');
    expect((await get('images/app:1/file?path=../../etc/motd')).text).toBe('hello, world');
    const loop = await get('images/app:1/file?path=loop');
    expect([loop.status, loop.json()]).toEqual([404, { message: '"loop": too many levels of symbolic links' }]);
  });

  it.each([
    ['images/none/layers', 404, 'No such image: none:latest'],
    ['images/app:1/tree?layer=3', 400, 'layer 3 is not in this image: it has 3, counted from 0 at the bottom'],
    ['images/app:1/tree?view=x', 400, 'view must be one of merged, layer, not "x"'],
    ['images/app:1/tree?depth=0', 400, 'depth must be between 1 and 64, not 0'],
    ['images/app:1/tree?path=%zz', 400, 'path: a "%" must be followed by two hexadecimal digits'],
    ['images/app:1/tree?path=nowhere', 404, 'no such file in this image: "nowhere"'],
    ['images/app:1/tree?after=x', 400, 'after: expected what an earlier answer gave as next, not "x"'],
    ['images/app:1/file', 400, 'path is missing: which file?'],
    ['images/app:1/file?path=etc', 400, '"etc" is a directory: only files can be read'],
    ['images/app:1/file?path=added', 404, 'no such file in this image: "added"'],
    ['compare?from=app:1', 400, 'to is missing: compare needs the names of two images, from and to'],
  ])('%s is refused with its reason', async (path, status, message) => {
    const answer = await get(path);
    expect([answer.status, answer.json()]).toEqual([status, { message }]);
  });

  it('finds what is wasted, the most wasteful first', async () => {
    const waste = await ask<SkiffWaste>('images/app:1/waste');
    expect(waste.paths).toEqual([
      { path: '/etc/big', wastedBytes: 5000, layers: [0], hiddenBy: 2 },
      { path: '/etc/motd', wastedBytes: 5, layers: [0], hiddenBy: 1 },
      { path: '/added', wastedBytes: 3, layers: [1], hiddenBy: 2 },
    ]);
    expect(waste.score).toBeCloseTo(1 - 5008 / waste.sizeBytes);
    expect(await ask<SkiffWaste>('images/app:1/waste?limit=1')).toMatchObject({ pathCount: 3, paths: [{}] });
  });

  it('compares two images by content, config and packages', async () => {
    const compared = await ask<SkiffComparison>('compare?from=app:1&to=app:2');
    expect(compared.files.map(({ path, change, differs }) => [path, change, differs])).toEqual([
      ['/caf\ufffd', 'changed', ['mode']],
      ['/etc/big', 'added', []],
      ['/etc/motd', 'changed', ['content']],
      ['/etc/way-out', 'removed', []],
      ['/var/lib/dpkg/status', 'changed', ['content']],
    ]);
    expect(compared.config).toEqual([
      { field: 'Cmd', from: ['/bin/true'], to: ['/bin/other'] },
      { field: 'Env.B', from: '2', to: '3' },
      { field: 'Labels.team', from: 'blue', to: null },
    ]);
    expect(compared.packages).toEqual({
      kind: 'dpkg',
      changes: [
        { name: 'sed', from: null, to: '4' },
        { name: 'tar', from: '2', to: null },
        { name: 'zlib', from: '1', to: '1.1' },
      ],
    });
    expect(compared.sharedLayers).toBe(0);
    const itself = await ask<SkiffComparison>('compare?from=app:1&to=app:1');
    expect([itself.files, itself.config, itself.sharedLayers]).toEqual([[], [], 3]);
  });

  it('does not answer again what a client has, and answers anew when the name means another image', async () => {
    const first = await get('images/app:1/layers');
    const tag = String(first.headers['etag']);
    expect((await get('images/app:1/layers', { 'If-None-Match': tag })).status).toBe(304);
    expect((await get('images/app:2/layers', { 'If-None-Match': tag })).status).toBe(200);
    expect((await get('images/app:1/waste', { 'If-None-Match': tag })).status).toBe(200);
    expect((await get('images/app:1/tree?path=etc')).headers['etag']).not.toBe(
      (await get('images/app:1/tree?path=var')).headers['etag'],
    );
  });

  describe('some thousand files', () => {
    beforeAll(async () => {
      const folders = Array.from({ length: 60 }, (_, index) => `d${index % 20}/f${index}`);
      await loadLayers(engine.socket, {
        name: 'large',
        layers: [
          [
            ...Array.from({ length: 20 }, (_, index) => directory(`d${index}/`)),
            ...folders.flatMap((folder) => [
              directory(`${folder}/`),
              ...Array.from({ length: 100 }, (_, index) => file(`${folder}/n${index}`, 'x')),
            ]),
          ],
        ],
      });
    }, 60_000);

    it('are shown in pages while the engine answers others at once', async () => {
      let answers = 0;
      let isDone = false;
      const pinging = (async () => {
        while (!isDone) {
          await call(engine.socket, 'GET', '/_ping');
          if (!isDone) answers += 1;
        }
      })();
      const { layers } = await ask<SkiffImageLayers>('images/large/layers');
      expect(layers[0]?.added.entries).toBe(6_080);
      const { node } = await ask<SkiffTree>('images/large/tree?depth=3&limit=2000');
      expect(node.totalFiles).toBe(6_000);
      isDone = true;
      await pinging;
      // bench/ measures how soon; here it is enough that they do not come after all the rest.
      expect(answers).toBeGreaterThan(2);
    });
  });
});

function countOf({ children = [] }: SkiffTreeNode): number {
  return children.reduce((sum, child) => sum + 1 + countOf(child), 0);
}
