import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { docker } from '../docker.ts';
import { pastEvents } from '../event-log.ts';
import { directory, file, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Summary {
  readonly Id: string;
  readonly ParentId: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly SharedSize: number;
  readonly Size: number;
  readonly Containers: number;
}

const platform = (architecture: string): string => encodeURIComponent(JSON.stringify({ os: 'linux', architecture }));
const foreign = process.arch === 'arm64' ? 'amd64' : 'arm64';
const own = process.arch === 'arm64' ? 'arm64' : 'amd64';

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: images', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let scratch: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    await loadImage(engine.socket, 'based:1', {
      layer: [directory('a/'), file('a/x', 'x')],
      config: { Labels: { l: 'v' } },
    });
  });
  afterAll(() => engine[Symbol.asyncDispose]());
  beforeEach(() => (scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-images-'))));
  afterEach(() => rmSync(scratch, { recursive: true, force: true }));

  const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(engine.socket, method, path, body);
  const cli = async (...words: readonly string[]): Promise<string> => {
    const { stdout, stderr, exitCode } = await docker(engine.socket, words);
    if (exitCode !== 0) throw new Error(stderr);
    return stdout.trim();
  };
  const list = async (query = ''): Promise<readonly Summary[]> =>
    (await api('GET', `/images/json${query}`)).json() as readonly Summary[];
  /** An image on top of another, with one more file. */
  const committed = async (
    base: string,
    name: string | null,
    script = 'cat /proc/sys/kernel/random/uuid > /new',
  ): Promise<string> => {
    const { id } = await boxes.create(script, { config: { Image: base } });
    const exit = api('POST', `/containers/${id}/wait?condition=next-exit`);
    await boxes.start(id);
    await exit;
    const made = await cli('commit', id, ...(name === null ? [] : [name]));
    await boxes.remove(id);
    return made;
  };
  const removed = async (name: string, query = ''): Promise<unknown> =>
    (await api('DELETE', `/images/${name}${query}`)).json();
  const put = (path: string, file: string): Promise<{ status: number; text: string }> =>
    upload(engine.socket, path, readFileSync(file));

  it('87: one id, the digest of the config, in list, inspect, events and containers', async () => {
    const [entry] = await list('?filters={"reference":["based:1"]}');
    const id = entry?.Id ?? '';
    expect(entry).toMatchObject({
      RepoTags: ['based:1'],
      RepoDigests: [],
      ParentId: '',
      SharedSize: -1,
      Containers: 0,
    });
    const archive = path.join(scratch, 'a.tar');
    await cli('save', '-o', archive, 'based:1');
    const config = execFileSync('tar', ['-xOf', archive, `blobs/sha256/${id.slice(7)}`]);
    expect(`sha256:${createHash('sha256').update(config).digest('hex')}`).toBe(id);
    for (const name of ['based:1', id, id.slice(7), id.slice(7, 15), id.slice(0, 15)])
      expect((await api('GET', `/images/${name}/json`)).json()).toMatchObject({ Id: id });
    const { id: container } = await boxes.create('true', { config: { Image: 'based:1' } });
    expect(await boxes.inspect(container)).toMatchObject({ Image: id });
    expect((await list('?filters={"reference":["based:1"]}'))[0]).toMatchObject({ Containers: 1 });
    await boxes.remove(container);
    await cli('tag', 'based:1', 'based:2');
    const events = await pastEvents(engine.socket, { type: ['image'], event: ['tag'] });
    expect(events.at(-1)?.Actor).toEqual({ ID: id, Attributes: { name: 'based:2', l: 'v' } });
    await cli('rmi', 'based:2');
    for (const name of ['nosuch', `${'0'.repeat(64)}`, `based@sha256:${'0'.repeat(64)}`])
      expect((await api('GET', `/images/${name}/json`)).status).toBe(404);
  });

  it('87: shows fields as each version of the API has them', async () => {
    const fields = async (version: string): Promise<readonly string[]> =>
      Object.keys((await api('GET', `/v${version}/images/based:1/json`)).json() as object);
    expect(await fields('1.43')).toEqual(expect.arrayContaining(['VirtualSize', 'ContainerConfig', 'Parent']));
    expect(await fields('1.44')).not.toContain('VirtualSize');
    expect(await fields('1.45')).not.toContain('ContainerConfig');
    expect(await fields('1.51')).toEqual(expect.arrayContaining(['Parent', 'Author', 'DockerVersion']));
    expect(await fields('1.52')).not.toContain('Parent');
    await committed('based:1', null);
    const nameless = async (version: string): Promise<object> => {
      const all = (
        await api('GET', `/v${version}/images/json?filters={"dangling":["true"]}`)
      ).json() as readonly object[];
      return all[0] ?? {};
    };
    expect(await nameless('1.42')).toMatchObject({
      RepoTags: ['<none>:<none>'],
      RepoDigests: ['<none>@<none>'],
      Containers: -1,
    });
    expect(await nameless('1.43')).toMatchObject({ RepoTags: [], RepoDigests: [], Containers: -1 });
    expect(await nameless('1.51')).toMatchObject({ Containers: 0 });
    await cli('image', 'prune', '-f');
    const conflict = await api('GET', `/images/based:1/json?manifests=1&platform=${platform(own)}`);
    expect(conflict).toMatchObject({ status: 400, text: expect.stringContaining('cannot both be set') as string });
    expect((await api('GET', `/images/based:1/json?platform=${platform(own)}`)).status).toBe(200);
    expect((await api('GET', `/images/based:1/json?platform=${platform(foreign)}`)).status).toBe(404);
    expect((await api('GET', '/images/based:1/json?platform=x')).text).toContain('failed to parse platform');
    expect((await api('GET', '/images/based:1/attestations')).status).toBe(501);
  });

  it('93: a container that changed nothing adds no layer, and history tells how an image came to be', async () => {
    const same = await committed('based:1', 'same:1', 'true');
    const more = await committed('same:1', 'more:1');
    const layers = async (name: string): Promise<number> =>
      ((await api('GET', `/images/${name}/json`)).json() as { RootFS: { Layers: unknown[] } }).RootFS.Layers.length;
    expect([await layers('based:1'), await layers('same:1'), await layers('more:1')]).toEqual([2, 2, 3]);
    const history = (await api('GET', '/images/more:1/history')).json() as readonly Record<string, unknown>[];
    expect(history.map(({ Id, Tags, CreatedBy }) => [Id, Tags, CreatedBy])).toEqual([
      [more, ['more:1'], 'sh -c cat /proc/sys/kernel/random/uuid > /new'],
      [same, ['same:1'], 'sh -c true'],
    ]);
    expect(history.map(({ Size }) => Number(Size) > 0)).toEqual([true, false]);
    expect((await api('GET', `/images/more:1/history?platform=${platform(foreign)}`)).status).toBe(404);
    expect(await removed('more:1')).toHaveLength(3);
    expect(await removed('same:1')).toEqual([{ Untagged: 'same:1' }, { Deleted: same }]);
  });

  it('94: a name goes first, with the last one the image, then its layers, and with the last child its nameless parents', async () => {
    const child = await committed('based:1', 'child:1');
    const grand = await committed('child:1', 'grand:1');
    await cli('tag', 'grand:1', 'grand:2');
    expect(await removed('grand:2')).toEqual([{ Untagged: 'grand:2' }]);
    const refused = await api('DELETE', `/images/${child}?force=1`);
    expect(refused.status).toBe(409);
    expect(refused.text).toContain(
      `unable to delete ${child.slice(7, 19)} (cannot be forced) - image has dependent child images`,
    );
    expect(await removed('child:1')).toEqual([{ Untagged: 'child:1' }]);
    expect((await list()).map(({ Id }) => Id)).not.toContain(child);
    expect((await list('?all=1')).map(({ Id }) => Id)).toContain(child);
    const layer = { Deleted: expect.stringMatching(/^sha256:/) as string };
    expect(await removed('grand:1')).toEqual([
      { Untagged: 'grand:1' },
      { Deleted: grand },
      layer,
      { Deleted: child },
      layer,
    ]);
    const again = await committed('based:1', 'child:1');
    await committed('child:1', 'grand:1');
    await removed('child:1');
    expect(await removed('grand:1', '?noprune=1')).toHaveLength(3);
    expect(await removed(again)).toEqual([{ Deleted: again }, layer]);
  });

  it('94: containers hold an image: those that run always, others unless it is forced', async () => {
    const id = await committed('based:1', 'held:1');
    const short = id.slice(7, 19);
    const stopped = await boxes.create('true', { config: { Image: 'held:1' } });
    const by = stopped.id.slice(0, 12);
    const text = async (name: string, query = ''): Promise<string> =>
      (await api('DELETE', `/images/${name}${query}`)).text;
    expect(await text('held:1')).toContain(
      `unable to remove repository reference \\"held:1\\" (must force) - container ${by} is using its referenced image ${short}`,
    );
    expect(await text(id)).toContain(
      `unable to delete ${short} (must be forced) - image is being used by stopped container ${by}`,
    );
    await cli('tag', 'held:1', 'other:1');
    expect(await text(id)).toContain(
      `unable to delete ${short} (must be forced) - image is referenced in multiple repositories`,
    );
    const running = await boxes.keep({ config: { Image: 'held:1' } });
    expect(await text(id, '?force=1')).toContain('(cannot be forced) - image is being used by running container');
    expect(await removed('other:1')).toEqual([{ Untagged: 'other:1' }]);
    expect(await removed('held:1', '?force=1')).toEqual([{ Untagged: 'held:1' }]);
    await boxes.remove(running);
    // The layers stay: they are the root of a container.
    expect(await removed(id, '?force=1')).toEqual([{ Deleted: id }]);
    await boxes.start(stopped.id);
    await boxes.remove(stopped.id);
    const events = await pastEvents(engine.socket, { image: [id], type: ['image'] });
    expect(events.map(({ Action }) => Action)).toEqual(['create', 'tag', 'tag', 'untag', 'untag', 'delete']);
    for (const query of [`?platforms=${platform(foreign)}`, '?platforms=x'])
      expect((await api('DELETE', `/images/based:1${query}`)).status).toBe(query.endsWith('x') ? 400 : 404);
  });

  it('prunes what has no tag, or all that no container has, by label and age', async () => {
    await committed('based:1', null);
    const used = await committed('based:1', 'used:1');
    const { id } = await boxes.create('true', { config: { Image: 'used:1' } });
    await committed('based:1', 'spare:1');
    const prune = async (filters: object): Promise<{ ImagesDeleted: unknown[] | null; SpaceReclaimed: number }> =>
      (await api('POST', `/images/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`)).json() as never;
    expect(await prune({ label: ['nosuch'] })).toEqual({ ImagesDeleted: null, SpaceReclaimed: 0 });
    expect(await prune({ until: ['1h'] })).toEqual({ ImagesDeleted: null, SpaceReclaimed: 0 });
    const dangling = await prune({});
    expect(dangling.ImagesDeleted).toHaveLength(2);
    expect(dangling.SpaceReclaimed).toBeGreaterThan(0);
    const rest = await prune({ dangling: ['false'], 'label!': ['nosuch'], label: ['l=v'] });
    expect(rest.ImagesDeleted).toEqual(expect.arrayContaining([{ Untagged: 'spare:1' }]));
    expect((await list('?all=1')).map(({ Id }) => Id)).toContain(used);
    const [last] = (await pastEvents(engine.socket, { type: ['image'], event: ['prune'] })).slice(-1);
    expect(last?.Actor).toEqual({ ID: '', Attributes: { reclaimed: String(rest.SpaceReclaimed) } });
    for (const [filters, message] of [
      [{ x: ['y'] }, "invalid filter 'x'"],
      [{ dangling: ['maybe'] }, "invalid filter 'dangling=[maybe]'"],
      [{ until: ['maybe'] }, 'failed to parse value as time or duration'],
    ] as const) {
      const refused = await api('POST', `/images/prune?filters=${encodeURIComponent(JSON.stringify(filters))}`);
      expect(refused).toMatchObject({ status: 400, text: expect.stringContaining(message) as string });
    }
    await boxes.remove(id);
    await cli('rmi', 'used:1');
  });

  it('97: a saved archive is an OCI layout and docker’s own form in one, the same bytes each time, and comes back whole', async () => {
    await cli('tag', 'based:1', 'team/app:x');
    const one = path.join(scratch, 'one.tar');
    const two = path.join(scratch, 'two.tar');
    await cli('save', '-o', one, 'based:1', 'team/app');
    await cli('save', '-o', two, 'based:1', 'team/app');
    expect(readFileSync(one).equals(readFileSync(two))).toBe(true);
    const read = (name: string): unknown =>
      JSON.parse(execFileSync('tar', ['-xOf', one, name], { encoding: 'utf8' })) as unknown;
    expect(read('manifest.json')).toMatchObject([{ RepoTags: ['based:1', 'team/app:x'] }]);
    expect(Object.keys(read('repositories') as object)).toEqual(['based', 'team/app']);
    expect(read('index.json')).toMatchObject({
      manifests: [
        { annotations: { 'io.containerd.image.name': 'docker.io/library/based:1' } },
        { annotations: { 'io.containerd.image.name': 'docker.io/team/app:x' } },
      ],
    });
    const [{ Id = '' } = {}] = await list('?filters={"reference":["based:1"]}');
    await cli('rmi', 'based:1', 'team/app:x');
    expect(await cli('load', '-i', one)).toBe('Loaded image: based:1\nLoaded image: team/app:x');
    expect((await list('?filters={"reference":["based:1"]}'))[0]?.Id).toBe(Id);
    await cli('rmi', 'team/app:x');
    await cli('save', '-o', one, Id);
    expect(read('manifest.json')).toMatchObject([{ RepoTags: null }]);
    expect(await cli('load', '-i', one)).toBe(`Loaded image ID: ${Id}`);
    for (const compress of ['gzip', 'xz']) {
      execFileSync(compress, ['-1', '-k', '-f', one]);
      const packed = `${one}.${{ gzip: 'gz', xz: 'xz' }[compress] ?? ''}`;
      expect(await cli('load', '-i', packed)).toBe(`Loaded image ID: ${Id}`);
    }
    const events = await pastEvents(engine.socket, { image: [Id], type: ['image'], event: ['save', 'load'] });
    expect(events.slice(-2).map(({ Action, Actor }) => [Action, Actor.Attributes['name']])).toEqual([
      ['load', Id],
      ['load', Id],
    ]);
    expect((await api('GET', '/images/nosuch/get')).status).toBe(404);
    expect((await api('GET', '/images/get?names=based:1&names=nosuch')).status).toBe(404);
    expect((await api('GET', `/images/get?names=based:1&platform=${platform(foreign)}`)).text).toContain(
      'no suitable export target',
    );
  });

  it('97: parents are saved with their children, and known again', async () => {
    const child = await committed('based:1', 'child:1');
    const archive = path.join(scratch, 'a.tar');
    await cli('save', '-o', archive, 'based:1', 'child:1');
    await cli('rmi', 'child:1');
    await cli('load', '-q', '-i', archive);
    expect((await api('GET', `/images/${child}/history`)).json()).toMatchObject(
      [{ Id: child }, { Tags: ['based:1'] }].slice(0, 1),
    );
    const base = (await list('?filters={"reference":["based:1"]}'))[0]?.Id;
    expect((await api('GET', `/images/${child}/json`)).json()).toMatchObject({ Parent: base });
    await cli('rmi', 'child:1');
  });

  describeWith([{ program: 'skopeo' }], 'beside skopeo', () => {
    it.each(['docker-archive', 'oci-archive'])('97: skopeo reads %s', async (form) => {
      const archive = path.join(scratch, 'a.tar');
      await cli('save', '-o', archive, 'based:1');
      const target = path.join(scratch, 'copied');
      execFileSync('skopeo', ['copy', '--insecure-policy', `${form}:${archive}`, `dir:${target}`], { stdio: 'ignore' });
      const { config } = JSON.parse(readFileSync(path.join(target, 'manifest.json'), 'utf8')) as {
        config: { digest: string };
      };
      expect(config.digest).toBe((await list('?filters={"reference":["based:1"]}'))[0]?.Id);
    });
  });

  it('97: takes of an index what was asked for, each image once', async () => {
    const archive = path.join(scratch, 'index.tar');
    writeFileSync(archive, indexArchive());
    expect((await put('/images/load', archive)).text).toContain('Loaded image: multi:1');
    const host = (await list('?filters={"reference":["multi"]}'))[0];
    expect((await api('GET', '/images/multi:1/json')).json()).toMatchObject({ Architecture: own });
    await put(`/images/load?platform=${platform(foreign)}&platform=${platform(own)}`, archive);
    expect((await api('GET', '/images/multi:1/json')).json()).toMatchObject({ Architecture: foreign });
    expect((await list('?all=1')).map(({ Id }) => Id)).toContain(host?.Id);
    expect((await put(`/images/load?platform=${platform('riscv64')}`, archive)).text).toContain(
      'no matching manifest for linux/riscv64',
    );
    await cli('rmi', 'multi:1', host?.Id ?? '');
  });

  it('98: imports a file system, packed or not, with changes and a message', async () => {
    const tar = path.join(scratch, 'root.tar');
    writeFileSync(tar, Buffer.concat([directory('d/'), file('d/f', 'content'), endOfArchive]));
    const id = await cli('import', '-m', 'a message', '-c', 'CMD ["x"]', '-c', 'ENV A=b C="d e"', tar, 'imported:1');
    expect((await api('GET', '/images/imported:1/json')).json()).toMatchObject({
      Id: id,
      Comment: 'a message',
      Config: { Cmd: ['x'], Env: ['A=b', 'C=d e'] },
    });
    expect((await api('GET', '/images/imported:1/history')).json()).toMatchObject([
      { Id: id, Comment: 'a message', CreatedBy: '', Size: 7 },
    ]);
    execFileSync('xz', ['-0', '-k', tar]);
    const packed = await cli('import', `${tar}.xz`);
    const layersOf = async (name: string): Promise<unknown> =>
      ((await api('GET', `/images/${name}/json`)).json() as { RootFS: unknown }).RootFS;
    expect(await layersOf(packed)).toEqual(await layersOf(id));
    expect((await put(`/images/create?fromSrc=-&repo=far&platform=linux/${foreign}`, tar)).text).toMatch(
      /^\{"status":"sha256:/,
    );
    expect((await api('GET', '/images/far/json')).json()).toMatchObject({
      Architecture: foreign,
      Comment: 'Imported from -',
    });
    const events = await pastEvents(engine.socket, { image: [id], type: ['image'] });
    expect(events.map(({ Action }) => Action)).toEqual(['tag', 'import']);
    for (const [query, message] of [
      ['changes=FROM%20x', 'FROM is not a valid change command'],
      ['repo=a@sha256:' + '0'.repeat(64), 'cannot import digest reference'],
      ['repo=BAD', 'must be lowercase'],
      ['platform=windows/amd64', 'operating system is not supported'],
    ] as const) {
      const refused = await put(`/images/create?fromSrc=-&${query}`, tar);
      expect(refused).toMatchObject({ status: 400, text: expect.stringContaining(message) as string });
    }
    writeFileSync(tar, Buffer.alloc(3000, 'no tar'));
    expect(await put('/images/create?fromSrc=-', tar)).toMatchObject({ status: 400 });
    await cli('rmi', 'imported:1', 'far', packed);
    expect((await list('?all=1')).map(({ Id }) => Id)).not.toContain(id);
  });

  it('98: imports from the web, and says what went wrong there', async () => {
    const tar = Buffer.concat([file('f', 'from afar'), endOfArchive]);
    const server = http.createServer(({ url }, response) => {
      if (url === '/there') response.writeHead(302, { Location: '/root.tar' }).end();
      else if (url === '/root.tar') response.end(tar);
      else if (url === '/loop') response.writeHead(302, { Location: '/loop' }).end();
      else if (url === '/short')
        response.writeHead(200, { 'Content-Length': 5000 }).write(tar, () => response.destroy());
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const base = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
    try {
      const create = async (source: string): Promise<string> =>
        (await api('POST', `/images/create?fromSrc=${encodeURIComponent(source)}&repo=web`)).text;
      expect(await create(`${base}/there`)).toMatch(/"status":"sha256:/);
      expect(await create(`${base}/loop`)).toContain('more than 10 redirects');
      expect(await create(`${base}/nosuch`)).toContain('with status 404');
      expect(await create(`${base}/short`)).toContain('error');
      expect(await create('ftp://127.0.0.1/x')).toContain('is no address to import from');
      await cli('rmi', 'web');
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('counts what images share', async () => {
    await committed('based:1', 'more:1');
    const all = await list('?shared-size=1');
    const base = all.find(({ RepoTags }) => RepoTags.includes('based:1'));
    const more = all.find(({ RepoTags }) => RepoTags.includes('more:1'));
    expect(base?.SharedSize).toBe(base?.Size);
    expect(more?.SharedSize).toBe(base?.Size);
    await cli('rmi', 'more:1');
  });
});

/** An OCI layout of one name for two platforms. */
function indexArchive(): Buffer {
  const blobs = new Map<string, Buffer>();
  const add = (content: Buffer | object): { digest: string; size: number } => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    blobs.set(`blobs/sha256/${hex}`, bytes);
    return { digest: `sha256:${hex}`, size: bytes.length };
  };
  const manifests = [own, foreign].map((architecture) => {
    const layer = Buffer.concat([file('arch', architecture), endOfArchive]);
    const blob = add(layer);
    const config = add({ os: 'linux', architecture, rootfs: { type: 'layers', diff_ids: [blob.digest] } });
    return { ...add({ schemaVersion: 2, config, layers: [blob] }), platform: { os: 'linux', architecture } };
  });
  const index = {
    ...add({ schemaVersion: 2, manifests }),
    annotations: { 'io.containerd.image.name': 'docker.io/library/multi:1' },
  };
  return Buffer.concat([
    file('oci-layout', '{"imageLayoutVersion":"1.0.0"}'),
    file('index.json', JSON.stringify({ schemaVersion: 2, manifests: [index] })),
    ...[...blobs].map(([name, bytes]) => file(name, bytes)),
    endOfArchive,
  ]);
}

function upload(socketPath: string, path: string, body: Buffer): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-tar', 'Content-Length': body.length };
    const sent = http.request({ socketPath, method: 'POST', path, headers, timeout: 60_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.once('error', reject);
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    sent.once('timeout', () => sent.destroy(new Error(`POST ${path}: no answer`)));
    sent.once('error', reject);
    sent.end(body);
  });
}
