import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ProgressMessage } from '../../api/images.ts';
import { bundledLayerPrograms } from '../../test/engine/bundled-programs.ts';
import { describeWith } from '../../test/skip.ts';
import { openLog } from '../diagnostics/log.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import { encodeEntry, endOfArchive } from '../../api/tar/writer.ts';
import { openLayers, type OpenLayers } from '../layers/open-layers.ts';
import { type ContainerId, parseContainerId, parseDigest } from '../model/ids.ts';
import { systemClock } from '../model/time.ts';
import { type Database, openDatabase } from '../store/database.ts';
import { ensureHelloImage, helloArchive } from './hello.ts';
import { ImageStore } from './image-store.ts';
import type { ImageUser } from './images.ts';
import { parseReference } from './reference.ts';

const sha = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const file = (name: string, content: Buffer | string): Buffer =>
  encodeEntry({ kind: 'file', name: Buffer.from(name) }, Buffer.from(content));
const link = (kind: 'symlink' | 'hardlink', name: string, linkName: string): Buffer =>
  encodeEntry({ kind, name: Buffer.from(name), linkName: Buffer.from(linkName) });
const archiveOf = (...entries: readonly Buffer[]): Buffer => Buffer.concat([...entries, endOfArchive]);
const layerOf = (name: string): Buffer => archiveOf(file(name, `content of ${name}`));

interface Built {
  readonly config: Buffer;
  readonly layers: readonly Buffer[];
}

function image(layers: readonly Buffer[], more: object = {}): Built {
  const config = {
    architecture: 'amd64',
    os: 'linux',
    created: '2020-01-02T03:04:05Z',
    config: { Cmd: ['/x'], Labels: { team: 'blue' }, ExposedPorts: { '80/tcp': {}, '53/udp': {} } },
    rootfs: { type: 'layers', diff_ids: layers.map((layer) => `sha256:${sha(layer)}`) },
    ...more,
  };
  return { config: json(config), layers };
}

/** As docker before 25 saves. */
function dockerArchive(
  { config, layers }: Built,
  tags: readonly string[] | null,
  more: readonly Buffer[] = [],
): Buffer {
  return archiveOf(
    file(
      'manifest.json',
      json([{ Config: `${sha(config)}.json`, RepoTags: tags, Layers: layers.map((_, index) => `${index}/layer.tar`) }]),
    ),
    ...layers.map((layer, index) => file(`${index}/layer.tar`, layer)),
    ...more,
    file(`${sha(config)}.json`, config),
  );
}

function ociArchive(
  { config, layers }: Built,
  annotations: object,
  pack: (bytes: Buffer) => Buffer = gzipSync,
): Buffer {
  const blobs = new Map<string, Buffer>();
  const blob = (bytes: Buffer): { digest: string; size: number } => {
    blobs.set(`blobs/sha256/${sha(bytes)}`, bytes);
    return { digest: `sha256:${sha(bytes)}`, size: bytes.length };
  };
  const manifest = blob(
    json({ schemaVersion: 2, config: blob(config), layers: layers.map((layer) => blob(pack(layer))) }),
  );
  const other = blob(json({ schemaVersion: 2, config: blob(json({ os: 'linux' })), layers: [] }));
  const index = blob(
    json({
      manifests: [
        { ...other, platform: { os: 'unknown', architecture: 'unknown' } },
        { ...other, platform: { os: 'linux', architecture: 's390x' } },
        { ...manifest, platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' } },
      ],
    }),
  );
  return archiveOf(
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', json({ schemaVersion: 2, manifests: [{ ...index, annotations }] })),
    ...[...blobs].map(([name, bytes]) => file(name, bytes)),
  );
}

async function* stream(bytes: Buffer, step = 10_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
}

describeWith(['linux', 'root'], 'the image store', () => {
  let scratch: string;
  let database: Database;
  let opened: OpenLayers;
  let layers: LayerStore;
  let images: ImageStore;
  const lines: string[] = [];
  const log = openLog({ verbosity: 'info', write: (line) => void lines.push(line) });

  const openStore = (): void => {
    const dataRoot = path.join(scratch, 'data');
    database = openDatabase(dataRoot);
    opened = openLayers({ database, dataRoot, log, ...bundledLayerPrograms() });
    layers = opened.layers;
    images = new ImageStore({ database, layers, content: opened.content, dataRoot, now: systemClock(), log });
  };
  const closeStore = async (): Promise<void> => {
    await opened[Symbol.asyncDispose]();
    database[Symbol.dispose]();
  };

  beforeEach(() => {
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-images-'));
    lines.length = 0;
    openStore();
  });
  afterEach(async () => {
    expect(left('incoming')).toEqual([]);
    await closeStore();
    rmSync(scratch, { recursive: true });
  });

  const left = (folder: string): readonly string[] => {
    const full = path.join(scratch, 'data', folder);
    return existsSync(full) ? readdirSync(full) : [];
  };
  const load = async (archive: Buffer, signal?: AbortSignal): Promise<readonly ProgressMessage[]> => {
    const messages: ProgressMessage[] = [];
    for await (const message of images.load(stream(archive), signal === undefined ? {} : { signal }))
      messages.push(message);
    return messages;
  };
  const said = (messages: readonly ProgressMessage[]): readonly string[] =>
    messages.flatMap(({ stream }) => stream ?? []);
  const names = (): readonly string[] => images.list().flatMap((listed) => listed.names);
  /** As docker's answer has it. */
  const remove = async (
    text: string,
    more: { isForced?: boolean; users?: readonly ImageUser[] } = {},
  ): Promise<readonly object[]> => {
    const usersOf = (): readonly ImageUser[] => more.users ?? [];
    const steps = await images.remove(text, { isForced: more.isForced ?? false, keepsParents: false, usersOf });
    return steps.map((step) => {
      if (step.kind === 'untagged') return { untagged: step.name };
      return { deleted: step.kind === 'deleted' ? step.image : step.layer };
    });
  };

  const one = image([layerOf('one')]);
  const two = image([layerOf('a'), layerOf('b')]);

  it.each([
    ["docker's form", () => dockerArchive(two, ['team/app:1'])],
    ["docker's form, compressed with gzip", () => gzipSync(dockerArchive(two, ['team/app:1']))],
    ["docker's form, compressed with zstd", () => zstdCompressSync(dockerArchive(two, ['team/app:1']))],
    ['an OCI layout of gzip layers', () => ociArchive(two, { 'io.containerd.image.name': 'docker.io/team/app:1' })],
    [
      'an OCI layout of zstd layers',
      () => ociArchive(two, { 'org.opencontainers.image.ref.name': 'team/app:1' }, zstdCompressSync),
    ],
    [
      "docker's form inside an OCI layout",
      () => {
        const blob = (bytes: Buffer): Buffer => file(`blobs/sha256/${sha(bytes)}`, bytes);
        const manifest = [
          {
            Config: `blobs/sha256/${sha(two.config)}`,
            RepoTags: ['team/app:1'],
            Layers: two.layers.map((layer) => `blobs/sha256/${sha(layer)}`),
          },
        ];
        return archiveOf(
          file('index.json', '{"manifests":[]}'),
          ...two.layers.map(blob),
          file('manifest.json', json(manifest)),
          blob(two.config),
        );
      },
    ],
  ])('loads %s', async (_, archive) => {
    const messages = await load(archive());
    expect(said(messages)).toEqual(['Loaded image: team/app:1\n']);
    const loaded = images.resolve('team/app:1');
    expect(loaded).toMatchObject({
      id: `sha256:${sha(two.config)}`,
      sizeBytes: 'content of a'.length * 2,
      config: {
        run: {
          command: ['/x'],
          labels: { team: 'blue' },
          exposedPorts: [
            { port: 80, protocol: 'tcp' },
            { port: 53, protocol: 'udp' },
          ],
        },
      },
    });
    expect(images.lowers(loaded.id).map((folder) => readdirSync(folder))).toEqual([['b'], ['a']]);
    expect(messages.filter(({ status }) => status === 'Loading layer').map(({ id }) => id)).toEqual(
      expect.arrayContaining(two.layers.map((layer) => sha(layer).slice(0, 12))),
    );
  });

  it('follows links between entries, inside the archive only', async () => {
    const manifest = file(
      'manifest.json',
      json([{ Config: 'c', RepoTags: null, Layers: ['0/layer.tar', '1/layer.tar'] }]),
    );
    const good = archiveOf(
      manifest,
      file('c', two.config),
      link('symlink', '0/layer.tar', '../x/l'),
      file('x/l', two.layers[0] ?? ''),
      file('y', two.layers[1] ?? ''),
      link('hardlink', '1/layer.tar', 'y'),
    );
    expect(said(await load(good))).toEqual([`Loaded image ID: sha256:${sha(two.config)}\n`]);
    for (const bad of [
      link('symlink', '0/layer.tar', '/etc/passwd'),
      link('symlink', '0/layer.tar', '../../x'),
      link('hardlink', '0/layer.tar', '../x'),
    ]) {
      await expect(load(archiveOf(manifest, file('c', two.config), bad))).rejects.toThrow(
        /"0\/layer.tar": a link that leads out of the archive/,
      );
    }
    await expect(
      load(
        archiveOf(
          manifest,
          file('c', two.config),
          link('symlink', '0/layer.tar', '../1/layer.tar'),
          link('symlink', '1/layer.tar', '../0/layer.tar'),
        ),
      ),
    ).rejects.toThrow(/a link in a loop/);
  });

  it.each([
    ['no archive', Buffer.from('hello '.repeat(200)), /broken image archive: /],
    ['an empty one', archiveOf(), /neither manifest\.json nor index\.json/],
    ['one that is cut', dockerArchive(two, ['a:1']).subarray(0, 3000), /the archive ends inside/],
    [
      'one without its config',
      archiveOf(file('manifest.json', json([{ Config: 'gone', Layers: [] }]))),
      /"gone" is missing/,
    ],
    ['a manifest that is no JSON', archiveOf(file('manifest.json', '{')), /manifest\.json: /],
    ['a manifest of another shape', archiveOf(file('manifest.json', '{}')), /manifest\.json: expected a list/],
    [
      'a config of another shape',
      dockerArchive({ ...two, config: json({ config: { Env: 'A=1', Labels: ['x'] } }) }, null),
      /image config: config: Labels: expected an object of strings/,
    ],
    [
      'a config that is not what its name says',
      archiveOf(
        file('manifest.json', json([{ Config: `${'0'.repeat(64)}.json`, Layers: [] }])),
        file(`${'0'.repeat(64)}.json`, two.config),
      ),
      /the config has the digest/,
    ],
    [
      'a layer too few',
      dockerArchive({ config: two.config, layers: two.layers.slice(1) }, null),
      /layers length mismatch: expected 1, got 2/,
    ],
    [
      'a layer that is another',
      dockerArchive({ config: two.config, layers: [layerOf('a'), layerOf('evil')] }, ['a:1']),
      /has the digest sha256:\w+, but its image says/,
    ],
    [
      'a layer that leads out',
      dockerArchive(image([layerOf('a'), archiveOf(file('../../../canary', 'x'))]), ['a:1']),
      /"\.\.\/\.\.\/\.\.\/canary": "\.\." in a path/,
    ],
    ['a name that leads out', archiveOf(file('../x', '')), /"\.\.\/x": "\.\." in a path/],
    ['a tag that is none', dockerArchive(two, ['Not A Name']), /invalid reference format/],
    ['an image of Windows', dockerArchive(image([], { os: 'windows' }), null), /cannot load windows image on linux/],
    [
      'too many layers',
      dockerArchive(image(Array.from({ length: 128 }, () => layerOf('a'))), null),
      /max depth exceeded/,
    ],
    ['the form of old', archiveOf(file('repositories', '{}')), /docker before 1\.10/],
    [
      'an index that is a manifest too',
      archiveOf(
        file('index.json', json({ manifests: [{ digest: `sha256:${sha('{"manifests":[],"layers":[]}')}` }] })),
        file(`blobs/sha256/${sha('{"manifests":[],"layers":[]}')}`, '{"manifests":[],"layers":[]}'),
      ),
      /both an index and a manifest/,
    ],
    [
      'a digest that is a path',
      archiveOf(file('index.json', json({ manifests: [{ digest: 'sha256:../../etc/passwd' }] }))),
      /invalid digest/,
    ],
  ])('refuses %s, and keeps nothing of it', async (_, archive, message) => {
    await expect(load(archive)).rejects.toThrow(message);
    expect(images.list()).toEqual([]);
    expect([left('layers'), left('incoming')]).toEqual([[], []]);
  });

  it('keeps the images of an archive that came whole before one that is broken', async () => {
    const good = image([layerOf('a')]);
    const bad = image([layerOf('b')]);
    const manifests = [good, bad].map(({ config }, index) => ({
      Config: `c${index}`,
      RepoTags: [`i${index}:1`],
      Layers: [`l${index}`],
      digest: sha(config),
    }));
    const archive = archiveOf(
      file('manifest.json', json(manifests)),
      file('c0', good.config),
      file('c1', bad.config),
      file('l0', good.layers[0] ?? ''),
      file('l1', 'no tar'.repeat(100)),
    );
    await expect(load(archive)).rejects.toThrow(/failed to register layer/);
    expect(names()).toEqual(['i0:1']);
    expect(left('layers')).toHaveLength(2); // a layer and its recipe
  });

  it('leaves nothing of a load that is aborted or no longer read', async () => {
    const big = image([archiveOf(file('big', Buffer.alloc(4_000_000, 1)))]);
    const abort = new AbortController();
    async function* aborting(): AsyncGenerator<Buffer> {
      yield* stream(dockerArchive(big, ['a:1']).subarray(0, 2_000_000));
      abort.abort(new Error('the client left'));
      yield Buffer.alloc(512);
    }
    const loading = (async () => {
      for await (const _ of images.load(aborting(), { signal: abort.signal }));
    })();
    await expect(loading).rejects.toThrow('the client left');
    for await (const _ of images.load(stream(dockerArchive(big, ['a:1'])))) break;
    expect([images.list(), left('layers'), left('incoming')]).toEqual([[], [], []]);
  });

  it('moves a name to the image that comes with it, and leaves the old one without', async () => {
    await load(dockerArchive(two, ['app:1']));
    const newer = image([layerOf('c')]);
    expect(said(await load(dockerArchive(newer, ['app:1'])))).toEqual([
      `The image app:1 already exists, renaming the old one with ID sha256:${sha(two.config)} to empty string\n`,
      'Loaded image: app:1\n',
    ]);
    expect(images.list(new Map([['dangling', ['true']]])).map(({ image: { id } }) => id)).toEqual([
      `sha256:${sha(two.config)}`,
    ]);
  });

  it('finds an image by name, id, and a prefix of the id', async () => {
    await load(dockerArchive(two, ['app:1', 'ghcr.io/o/app:latest']));
    const id = sha(two.config);
    for (const text of [
      'app:1',
      'docker.io/library/app:1',
      'ghcr.io/o/app',
      id,
      `sha256:${id}`,
      id.slice(0, 12),
      id.slice(0, 1),
      `sha256:${id.slice(0, 5)}`,
    ]) {
      expect(images.resolve(text).id).toBe(`sha256:${id}`);
    }
    expect(() => images.resolve('nothing')).toThrow('No such image: nothing:latest');
    expect(() => images.resolve('app')).toThrow('No such image: app:latest');
    expect(() => images.resolve('0'.repeat(64))).toThrow(`No such image: ${'0'.repeat(64)}`);
    expect(() => images.resolve('Bad Name')).toThrow('invalid reference format');
  });

  it('refuses a prefix that fits two images', async () => {
    for (let index = 0, seen = new Set<string>(); ; index++) {
      const built = image([], { author: String(index) });
      await load(dockerArchive(built, null));
      const first = sha(built.config).charAt(0);
      if (seen.has(first)) {
        expect(() => images.resolve(first)).toThrow(`ambiguous reference: more than one image id begins with ${first}`);
        return;
      }
      seen.add(first);
    }
  });

  it('lists newest first, by name, label, age and whether there is a name', async () => {
    const built = [2019, 2021, 2020].map((year) =>
      image([], { created: `${year}-01-01T00:00:00Z`, config: { Labels: { year: String(year) } } }),
    );
    for (const [index, one] of built.entries()) await load(dockerArchive(one, [`img${index}:1`, `img${index}:2`]));
    const listed = (filters: Readonly<Record<string, readonly string[]>>): readonly string[] =>
      images.list(new Map(Object.entries(filters))).flatMap((one) => one.names);
    expect(listed({ reference: ['*:1'] })).toEqual(['img1:1', 'img2:1', 'img0:1']);
    expect(listed({ reference: ['img0'] })).toEqual(['img0:1', 'img0:2']);
    expect(listed({ label: ['year=2020'] })).toEqual(['img2:1', 'img2:2']);
    expect(listed({ before: ['img2:1'] })).toEqual(['img0:1', 'img0:2']);
    expect(listed({ since: ['img2:1'], reference: ['*:2'] })).toEqual(['img1:2']);
    expect(listed({ until: ['2019-06-01T00:00:00Z'], dangling: ['false'] })).toEqual(['img0:1', 'img0:2']);
    expect(listed({ dangling: ['true'] })).toEqual([]);
    expect(() => listed({ dangling: ['perhaps'] })).toThrow("invalid filter 'dangling=[perhaps]'");
    expect(() => listed({ before: ['nothing'] })).toThrow('No such image: nothing:latest');
  });

  const running: ImageUser = { id: parseContainerId('c'.repeat(64)), isRunning: true };
  const stopped: ImageUser = { id: 'd'.repeat(64) as ContainerId, isRunning: false };

  it('takes a name away first, and the image with the last one', async () => {
    await load(dockerArchive(two, ['app:1']));
    await images.tag('app:1', { repository: 'other', tag: 'x' });
    expect(names()).toEqual(['app:1', 'other:x']);
    expect(await remove('app:1', { users: [running] })).toEqual([{ untagged: 'app:1' }]);
    await expect(remove('other:x', { users: [stopped] })).rejects.toThrow(
      `conflict: unable to remove repository reference "other:x" (must force) - container dddddddddddd is using its referenced image ${sha(two.config).slice(0, 12)}`,
    );
    const removed = await remove('other:x');
    expect(removed.slice(0, 2)).toEqual([{ untagged: 'other:x' }, { deleted: `sha256:${sha(two.config)}` }]);
    expect(removed).toHaveLength(4);
    expect([images.list(), left('layers')]).toEqual([[], []]);
  });

  it('removes by id what has one name, and refuses what is in use', async () => {
    await load(dockerArchive(two, ['app:1']));
    const id = sha(two.config).slice(0, 12);
    await expect(remove(id, { users: [running], isForced: true })).rejects.toThrow(
      `conflict: unable to delete ${id} (cannot be forced) - image is being used by running container cccccccccccc`,
    );
    await expect(remove(id, { users: [stopped] })).rejects.toThrow(
      `conflict: unable to delete ${id} (must be forced) - image is being used by stopped container dddddddddddd`,
    );
    await images.tag('app:1', { repository: 'app', tag: '2' });
    await images.tag('app:1', { repository: 'team/other', tag: null });
    await expect(remove(id)).rejects.toThrow(
      `conflict: unable to delete ${id} (must be forced) - image is referenced in multiple repositories`,
    );
    const removed = await remove(id, { users: [stopped], isForced: true });
    expect(removed.slice(0, 4)).toEqual([
      { untagged: 'app:1' },
      { untagged: 'app:2' },
      { untagged: 'team/other:latest' },
      { deleted: `sha256:${sha(two.config)}` },
    ]);
  });

  it('takes the last name from a running image when forced, and keeps the image', async () => {
    await load(dockerArchive(two, ['app:1']));
    expect(await remove('app:1', { users: [running], isForced: true })).toEqual([{ untagged: 'app:1' }]);
    expect(images.list().map((listed) => listed.names)).toEqual([[]]);
  });

  it('keeps layers that another image needs', async () => {
    await load(dockerArchive(two, ['two:1']));
    await load(dockerArchive(image(two.layers.slice(0, 1)), ['one:1']));
    expect(await remove('two:1')).toHaveLength(3);
    expect(images.lowers(images.resolve('one:1').id).map((folder) => readdirSync(folder))).toEqual([['a']]);
  });

  it('refuses names that there cannot be', async () => {
    await load(dockerArchive(two, ['app:1']));
    await expect(images.tag('app:1', { repository: 'Upper', tag: null })).rejects.toThrow(/must be lowercase/);
    await expect(images.tag('app:1', { repository: 'a', tag: 'b c' })).rejects.toThrow('invalid reference format');
    await expect(images.tag('none', { repository: 'a', tag: 'b' })).rejects.toThrow('No such image: none:latest');
    await expect(images.tag('app:1', { repository: 'a'.repeat(64), tag: null })).rejects.toThrow(/64-byte hexadecimal/);
  });

  it('forgets at boot what an engine that was killed had begun', async () => {
    await load(dockerArchive(two, ['app:1']));
    mkdirSync(path.join(scratch, 'data/incoming'), { recursive: true });
    writeFileSync(path.join(scratch, 'data/incoming/half.tar'), 'x');
    mkdirSync(path.join(scratch, 'data/layers/tmp-1'));
    await closeStore();
    openStore();
    await images.collectGarbage();
    expect([left('incoming'), left('layers').length, names()]).toEqual([[], 4, ['app:1']]);
  });

  it('forgets at boot an image whose layers a power cut took, with its names, and keeps the others', async () => {
    await load(dockerArchive(two, ['app:1']));
    await load(dockerArchive(one, ['kept:1']));
    const { topLayer } = images.resolve('app:1');
    await closeStore();
    openStore();
    const mark = database.sql.prepare('UPDATE layers SET unwritten = ? WHERE chain_id = ?');
    mark.run('lost', topLayer);
    const again = images.publish({ configText: two.config.toString(), names: [] });
    await expect(again).rejects.toThrow('the disk did not take its layers');
    mark.run('another-boot 1', topLayer);
    await closeStore();
    openStore();
    await images.collectGarbage();
    expect(names()).toEqual(['kept:1']);
    expect(lines.join('')).toMatch(/did not come to the disk: pull it again image=sha256:/);
    await load(dockerArchive(two, ['app:1']));
    expect(names().toSorted()).toEqual(['app:1', 'kept:1']);
  });

  it('waits for the disk before a name leaves another image, and before what cannot be pulled again', async () => {
    await load(dockerArchive(one, ['app:1']));
    const unwritten = (): number =>
      Number(database.sql.prepare('SELECT count(*) AS n FROM layers WHERE unwritten IS NOT NULL').get()?.['n']);
    const pulled = async (name: string): Promise<Built> => {
      const built = image([layerOf(name)]);
      const file = path.join(scratch, name);
      const [tar = Buffer.alloc(0)] = built.layers;
      writeFileSync(file, tar);
      const source = { file, offset: 0, sizeBytes: tar.length };
      const layer = { diffId: parseDigest(`sha256:${sha(tar)}`), source, blobDigest: null };
      const signal = AbortSignal.timeout(30_000);
      await layers.add([layer], { signal, durability: 'soon', onProgress: () => undefined });
      return built;
    };
    const publish = async ({ config }: Built, name: string): Promise<void> =>
      void (await images.publish({
        configText: config.toString(),
        names: [parseReference(name)],
        isRepeatable: true,
      }));
    await publish(await pulled('b'), 'app:1');
    expect(unwritten()).toBe(0);
    await publish(await pulled('c'), 'app:2');
    await images.tag('app:2', { repository: 'app', tag: '3' });
    expect(unwritten()).toBe(0);
    await load(dockerArchive(await pulled('d'), ['app:4']));
    expect(unwritten()).toBe(0);
    expect(names().toSorted()).toEqual(['app:1', 'app:2', 'app:3', 'app:4']);
  });

  const busybox = '/bin/busybox';
  const hasBusybox = existsSync(busybox);
  const title = 'makes hello once, the same each time, and respects its removal';
  it.skipIf(!hasBusybox)(hasBusybox ? title : `${title} (needs the package busybox-static)`, async () => {
    await ensureHelloImage({ images, database, log, busybox });
    const hello = images.resolve('hello');
    const folder = images.lowers(hello.id)[0] ?? '';
    expect(readdirSync(folder)).toEqual(expect.arrayContaining(['bin', 'etc', 'hello', 'tmp']));
    expect(execFileSync('chroot', [folder, '/hello'], { encoding: 'utf8' })).toMatch(
      /Hello from a container on Skiff!/,
    );
    const program = readFileSync(busybox);
    expect(helloArchive({ program, applets: ['sh'] }).equals(helloArchive({ program, applets: ['sh'] }))).toBe(true);
    await remove('hello');
    await ensureHelloImage({ images, database, log, busybox });
    expect(images.list()).toEqual([]);
  });

  it('goes without hello where there is no static busybox, and says why', async () => {
    await ensureHelloImage({ images, database, log, busybox: '/nowhere/busybox' });
    await ensureHelloImage({ images, database, log, busybox: process.execPath });
    expect(lines.join('')).toMatch(/nowhere\/busybox is not there: install the package busybox-static/);
    expect(lines.join('')).toMatch(/is not linked statically/);
    expect(images.list()).toEqual([]);
  });

  describeWith([{ program: 'skopeo' }], 'beside skopeo', () => {
    it.each(['docker-archive', 'oci-archive'])('loads what it writes (%s)', async (form) => {
      const source = path.join(scratch, 'source.tar');
      writeFileSync(source, dockerArchive(two, ['app:1']));
      const target = path.join(scratch, 'target.tar');
      const options = ['--insecure-policy', '--tmpdir', scratch];
      execFileSync('skopeo', [...options, 'copy', `docker-archive:${source}`, `${form}:${target}:team/app:2`], {
        stdio: 'pipe',
      });
      const messages: ProgressMessage[] = [];
      for await (const message of images.load(createReadStream(target))) messages.push(message);
      expect(said(messages)).toEqual(['Loaded image: team/app:2\n']);
      expect(images.lowers(images.resolve('team/app:2').id).map((folder) => readdirSync(folder))).toEqual([
        ['b'],
        ['a'],
      ]);
    });
  });
});
