import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { gunzipSync, gzipSync, inflateSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { archive, type ArchiveAnswer, entriesOf, namesOf } from '../archive.ts';
import { Boxes } from '../box.ts';
import { docker, eventually } from '../docker.ts';
import { actionsOf } from '../event-log.ts';
import { directory, file, link, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const tar = (...entries: readonly Buffer[]): Buffer => Buffer.concat([...entries, endOfArchive]);
const seconds = (text: string): bigint => BigInt(text) * 1_000_000_000n;

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: cp, export, diff, disk usage', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let scratch: string;
  let running: string;
  const setUp = [
    'mkdir -p /d/sub /w; echo hi > /d/f; ln /d/f /d/hard; ln -s f /d/lnk; ln -s /d/sub /d/abs; ln -s ../../x /d/out',
    'mkfifo /d/fifo; echo s > /d/sub/s; chmod 4755 /d/f; chmod 1777 /d/sub; echo ready; exec sleep 600',
  ].join('; ');
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-files-'));
    mkdirSync(path.join(scratch, 'bound'));
    await loadImage(engine.socket, 'based', {
      layer: [
        directory('gone/'),
        file('gone/x', 'x'),
        directory('kept/'),
        file('kept/same', '1'),
        file('kept/changed', '2'),
        directory('opaque/'),
        file('opaque/below', '3'),
        link('kept/link', 'same'),
      ],
    });
    const host = { Binds: [`${scratch}/bound:/b`, 'cp-volume:/v', 'cp-ro:/ro:ro'], Tmpfs: { '/t': '' } };
    running = await boxes.keep({ host, name: 'files' }, ['sh', '-c', setUp]);
    await eventually('the files are there', async () =>
      (await boxes.output(running)).includes('ready') ? true : null,
    );
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const api = (method: string, url: string, body?: unknown): Promise<Answer> => call(engine.socket, method, url, body);
  const head = (inside: string): Promise<ArchiveAnswer> =>
    archive(engine.socket, 'HEAD', { container: running, path: inside });
  const get = (inside: string, headers = {}): Promise<ArchiveAnswer> =>
    archive(engine.socket, 'GET', { container: running, path: inside }, headers);
  const put = (inside: string, body: Buffer, query = ''): Promise<ArchiveAnswer> =>
    archive(engine.socket, 'PUT', { container: running, path: inside, body, query });
  const inside = async (script: string): Promise<string> =>
    (await docker(engine.socket, ['exec', running, 'sh', '-c', script])).stdout.trimEnd();
  const changesOf = async (id: string): Promise<unknown> => (await api('GET', `/containers/${id}/changes`)).json();

  it.each([
    ['/d/f', { name: 'f', size: 3, mode: 0o755 + 2 ** 23, linkTarget: '' }],
    ['d/f', { name: 'f', size: 3 }],
    ['/d/../d/./f', { name: 'f' }],
    ['/d/lnk', { name: 'lnk', size: 1, mode: 0o777 + 2 ** 27, linkTarget: '/d/f' }],
    ['/d/abs', { name: 'abs', linkTarget: '/d/sub' }],
    ['/d/abs/', { name: 'abs', mode: 0o777 + 2 ** 31 + 2 ** 20, linkTarget: '' }],
    ['/d/abs/.', { name: '.', mode: 0o777 + 2 ** 31 + 2 ** 20 }],
    ['/d/abs/s', { name: 's', size: 2 }],
    ['/d/out', { name: 'out', linkTarget: '/x' }],
    ['/d/fifo', { name: 'fifo', mode: 0o644 + 2 ** 25 }],
    ['/', { name: '/', mode: 0o755 + 2 ** 31 }],
    ['/../../..', { name: '/' }],
    ['/etc/hosts', { name: 'hosts' }],
  ])('108: tells what %s is', async (where, expected) => {
    const answer = await head(where);
    expect(answer).toMatchObject({ status: 200, stat: expected });
    expect(answer.stat?.['mtime']).toMatch(/^20\d\d-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('108: what is not there is 404, also what only the container’s own mounts would show', async () => {
    for (const where of ['/nope', '/d/nope/x', '/proc/1', '/d/abs/nope'])
      expect(await get(where)).toMatchObject({
        status: 404,
        message: `Could not find the file ${where} in container ${running}`,
      });
    await inside('touch /t/hidden');
    expect((await get('/t/hidden')).status).toBe(404);
    expect((await get('/d/f/')).status).toBe(400);
    expect((await get('')).status).toBe(400);
  });

  it('108: gives a directory under its own name, one that ends in /. under a dot, a link as a link', async () => {
    expect(namesOf((await get('/d')).body)).toEqual(
      ['', 'abs', 'f', 'fifo', 'hard', 'lnk', 'out', 'sub/', 'sub/s'].map((name) => `d/${name}`),
    );
    expect(namesOf((await get('/d/sub/.')).body)).toEqual(['./', './s']);
    expect(namesOf((await get('/d/abs')).body)).toEqual(['abs']);
    expect(namesOf((await get('/d/abs/')).body)).toEqual(['abs/', 'abs/s']);
    const whole = entriesOf((await get('/d')).body);
    const hard = whole.find(({ entry }) => entry.name.toString() === 'd/hard');
    expect(hard?.entry).toMatchObject({ kind: 'hardlink', linkName: Buffer.from('d/f') });
    expect(whole.find(({ entry }) => entry.name.toString() === 'd/f')).toMatchObject({
      entry: { mode: 0o4755 },
      content: Buffer.from('hi\n'),
    });
  });

  it('108: compresses when the client asks for it', async () => {
    const gzip = await get('/d', { 'Accept-Encoding': 'gzip' });
    expect(gzip.headers['content-encoding']).toBe('gzip');
    expect(namesOf(gunzipSync(gzip.body))).toContain('d/f');
    const deflate = await get('/d', { 'Accept-Encoding': 'deflate, gzip;q=0.1' });
    expect(namesOf(inflateSync(deflate.body))).toContain('d/f');
    expect(
      (await get('/d', { 'Accept-Encoding': 'identity, gzip;q=0.5' })).headers['content-encoding'],
    ).toBeUndefined();
  });

  it('108: unpacks with owner, mode and time, into volumes and binds too', async () => {
    const body = tar(
      directory('new/', { mode: 0o1750, userId: 5, modifiedNs: seconds('1700000000') }),
      file('new/f', 'content', { mode: 0o4711, userId: 7, groupId: 8, modifiedNs: seconds('1600000000') }),
      link('new/l', '/nowhere/at/all'),
      encodeEntry({ kind: 'hardlink', name: Buffer.from('new/h'), linkName: Buffer.from('new/f') }),
      file('implicit/parent/f', 'x'),
    );
    for (const where of ['/w', '/b', '/v']) {
      expect(await put(where, body)).toMatchObject({ status: 200, message: '' });
      expect(
        await inside(`cd ${where}; stat -c '%a %u %g %Y' new new/f; cat new/h; readlink new/l; ls implicit/parent`),
      ).toBe(['1750 5 0 1700000000', '4711 7 8 1600000000', 'content/nowhere/at/all', 'f'].join('\n'));
    }
    expect(readFileSync(path.join(scratch, 'bound/new/f'), 'utf8')).toBe('content');
    expect(namesOf((await get('/v/new')).body)).toEqual(['new/', 'new/f', 'new/h', 'new/l']);
  });

  it('108: needs a directory that may be written to', async () => {
    const body = tar(file('x', 'x'));
    expect(await put('/nope', body)).toMatchObject({ status: 404 });
    expect(await put('/d/f', body)).toMatchObject({ status: 400, message: 'extraction point is not a directory' });
    expect(await put('/ro', body)).toMatchObject({ status: 400, message: 'mounted volume is marked read-only' });
    const locked = await boxes.keep({ host: { ReadonlyRootfs: true, Binds: ['cp-volume:/v'] } });
    const into = (where: string): Promise<ArchiveAnswer> =>
      archive(engine.socket, 'PUT', { container: locked, path: where, body });
    expect(await into('/etc')).toMatchObject({ status: 400, message: 'container rootfs is marked read-only' });
    expect(await into('/v')).toMatchObject({ status: 200 });
    await boxes.remove(locked);
  });

  it('108: noOverwriteDirNonDir keeps directories and files apart; without it the new one wins', async () => {
    await put('/w', tar(directory('kind/'), file('plain', 'x')));
    const swapped = tar(file('kind', 'x'));
    expect(await put('/w', swapped, '&noOverwriteDirNonDir=1')).toMatchObject({
      message: 'cannot overwrite directory "kind" with non-directory "/w"',
    });
    expect(await put('/w', tar(directory('plain/')), '&noOverwriteDirNonDir=1')).toMatchObject({
      message: 'cannot overwrite non-directory "plain" with directory "/w"',
    });
    expect((await put('/w', swapped)).status).toBe(200);
    expect(await inside('cat /w/kind')).toBe('x');
  });

  it('108: copyUIDGID gives everything to the container’s user', async () => {
    const { id } = await boxes.create('true', { config: { User: '1000:1001' } });
    const body = tar(directory('mine/', { userId: 0 }), file('mine/f', 'x', { userId: 33 }));
    await archive(engine.socket, 'PUT', { container: id, path: '/tmp', body, query: '&copyUIDGID=1' });
    const { body: got } = await archive(engine.socket, 'GET', { container: id, path: '/tmp/mine' });
    expect(entriesOf(got).map(({ entry }) => [entry.userId, entry.groupId])).toEqual([
      [1000, 1001],
      [1000, 1001],
    ]);
    await boxes.remove(id);
  });

  it('108: takes plain, gzip and zstd archives', async () => {
    for (const [name, pack] of [
      ['plain', (bytes: Buffer) => bytes],
      ['gzip', gzipSync],
      ['zstd', zstdCompressSync],
    ] as const) {
      expect(await put('/w', pack(tar(file(`packed-${name}`, name))))).toMatchObject({ status: 200 });
      expect(await inside(`cat /w/packed-${name}`)).toBe(name);
    }
  });

  it('108: works on containers that have never run, and on those that have ended', async () => {
    const { id } = await boxes.create('cat /in/f', { name: 'never-ran' });
    expect(
      (
        await archive(engine.socket, 'PUT', {
          container: id,
          path: '/',
          body: tar(directory('in/'), file('in/f', 'fed')),
        })
      ).status,
    ).toBe(200);
    const ended = call(engine.socket, 'POST', `/containers/${id}/wait?condition=next-exit`);
    await boxes.start(id);
    await ended;
    expect(await boxes.output(id)).toBe('fed');
    expect(namesOf((await archive(engine.socket, 'GET', { container: id, path: '/in' })).body)).toEqual([
      'in/',
      'in/f',
    ]);
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(id);
    await boxes.remove(id);
  });

  it('108: docker cp in all its forms', async () => {
    const cp = async (...words: string[]): Promise<string> => {
      const { exitCode, stderr } = await docker(engine.socket, ['cp', '-q', ...words]);
      return `${exitCode} ${stderr.trim()}`;
    };
    const own = path.join(scratch, 'own');
    mkdirSync(path.join(own, 'dir'), { recursive: true });
    writeFileSync(path.join(own, 'one'), '1');
    writeFileSync(path.join(own, 'dir/two'), '2');
    expect(await cp(path.join(own, 'one'), 'files:/w/renamed')).toBe('0 ');
    expect(await cp(own, 'files:/w/newdir')).toBe('0 ');
    expect(await cp(`${own}/.`, 'files:/w/newdir')).toBe('0 ');
    expect(await inside('cat /w/renamed /w/newdir/one /w/newdir/dir/two')).toBe('112');
    expect(await cp('files:/w/newdir', path.join(scratch, 'back'))).toBe('0 ');
    expect(readdirSync(path.join(scratch, 'back')).sort()).toEqual(['dir', 'one']);
    expect(await cp('files:/d/lnk', path.join(scratch, 'link'))).toBe('0 ');
    expect(await cp('-L', 'files:/d/lnk', path.join(scratch, 'followed'))).toBe('0 ');
    expect(readFileSync(path.join(scratch, 'followed'), 'utf8')).toBe('hi\n');
    expect(await cp('files:/nope', scratch)).toMatch(/^1 .*Could not find the file \/nope in container files/);
  });

  it('13, 93: tells what a container has changed: nothing before it does, and never what the engine put there', async () => {
    const { id } = await boxes.create(
      [
        'rm -r /gone; rm /kept/link; echo new > /kept/changed; chmod 700 /kept/same; rm -r /opaque; mkdir /opaque',
        'touch /opaque/own; mkdir -p /a/b; touch /a/b/c; chown 5 /tmp',
      ].join('; '),
      { config: { Image: 'based' } },
    );
    expect(await changesOf(id)).toBeNull();
    const ended = call(engine.socket, 'POST', `/containers/${id}/wait?condition=next-exit`);
    await boxes.start(id);
    await ended;
    const kinds = { modified: 0, added: 1, deleted: 2 };
    expect(await changesOf(id)).toEqual(
      (
        [
          ['/a', 'added'],
          ['/a/b', 'added'],
          ['/a/b/c', 'added'],
          ['/gone', 'deleted'],
          ['/kept', 'modified'],
          ['/kept/changed', 'modified'],
          ['/kept/link', 'deleted'],
          ['/kept/same', 'modified'],
          ['/opaque', 'modified'],
          ['/opaque/below', 'deleted'],
          ['/opaque/own', 'added'],
          ['/tmp', 'modified'],
        ] as const
      ).map(([Path, kind]) => ({ Path, Kind: kinds[kind] })),
    );
    await boxes.remove(id);
  });

  it('59, 93: export gives the whole root, without what is mounted in it', async () => {
    const bytes = await download(engine.socket, `/containers/${running}/export`);
    const names = namesOf(bytes);
    expect(names).toEqual(expect.arrayContaining(['d/', 'd/f', 'v/', 'b/', 't/', '.dockerenv', 'etc/mtab']));
    expect(names.some((name) => /^([vbt]|proc|dev\/pts)\/./.test(name))).toBe(false);
  });

  it('46: cp and export are told', async () => {
    const { id } = await boxes.create('true');
    await archive(engine.socket, 'GET', { container: id, path: '/etc' });
    await archive(engine.socket, 'PUT', { container: id, path: '/etc', body: tar(file('x', 'x')) });
    await download(engine.socket, `/containers/${id}/export`);
    expect(await actionsOf(engine.socket, id)).toEqual(['create', 'archive-path', 'extract-to-dir', 'export']);
    await boxes.remove(id);
  });

  it('a large copy does not keep others waiting', async () => {
    await inside('dd if=/dev/zero of=/w/large bs=1M count=200 2>/dev/null');
    const copying = download(engine.socket, `/containers/${running}/archive?path=/w/large`);
    let answers = 0;
    const isCopied = copying.then(() => true);
    const ping = async (): Promise<false> => {
      expect((await api('GET', '/_ping')).status).toBe(200);
      return false;
    };
    while (!(await Promise.race([isCopied, ping()]))) answers += 1;
    expect((await copying).length).toBeGreaterThan(200 * 1024 * 1024);
    // bench/ measures how soon; here it is enough that they do not come after the copy.
    expect(answers).toBeGreaterThan(2);
    await inside('rm /w/large');
  });

  it('a client that goes in the middle leaves nothing mounted and the container removable', async () => {
    const { id } = await boxes.create('true', { host: { Binds: ['cp-volume:/v'] } });
    await archive(engine.socket, 'PUT', { container: id, path: '/', body: tar(file('big', Buffer.alloc(20 << 20))) });
    await new Promise<void>((resolve, reject) => {
      const sent = http.get({ socketPath: engine.socket, path: `/containers/${id}/archive?path=/big` }, (response) => {
        response.once('data', () => {
          response.destroy();
          resolve();
        });
      });
      sent.once('error', reject);
    });
    await eventually('nothing is mounted', () =>
      readFileSync('/proc/self/mounts', 'utf8').includes(id) ? null : true,
    );
    expect((await api('DELETE', `/containers/${id}`)).status).toBe(204);
  });

  it('tells what takes how much of the disk, in the old form and in that of 1.52', async () => {
    await put('/v', tar(file('counted', Buffer.alloc(5000))));
    const old = (await api('GET', '/v1.51/system/df')).json() as Readonly<
      Record<string, readonly Record<string, unknown>[]>
    >;
    expect(old['Images']?.map(({ RepoTags, SharedSize }) => [RepoTags, SharedSize])).toEqual(
      expect.arrayContaining([[['based:latest'], 0]]),
    );
    expect(old['Containers']?.find(({ Id }) => Id === running)).toMatchObject({ SizeRw: expect.any(Number) as number });
    const volume = old['Volumes']?.find(({ Name }) => Name === 'cp-volume');
    expect(volume?.['UsageData']).toMatchObject({ RefCount: 1 });
    expect((volume?.['UsageData'] as { Size: number }).Size).toBeGreaterThanOrEqual(5000);
    expect(old['BuildCache']).toEqual([]);

    const totals = (await api('GET', '/v1.52/system/df?type=volume')).json() as Record<string, Record<string, unknown>>;
    expect(Object.keys(totals)).toEqual(['VolumeUsage']);
    expect(totals['VolumeUsage']).toEqual({
      ActiveCount: 2,
      TotalCount: 2,
      Reclaimable: 0,
      TotalSize: expect.any(Number) as number,
    });
    const verbose = (await api('GET', '/v1.52/system/df?verbose=1')).json() as Record<string, Record<string, unknown>>;
    expect(verbose['VolumeUsage']?.['Items']).toHaveLength(2);
    expect(verbose['ContainerUsage']).toMatchObject({ ActiveCount: 1, TotalCount: 1 });
    expect((await api('GET', '/system/df?type=foo')).text).toContain('unknown object type: foo');
  });
});

function download(socketPath: string, url: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const sent = http.get({ socketPath, path: url, timeout: 60_000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => resolve(Buffer.concat(chunks)));
    });
    sent.once('timeout', () => sent.destroy(new Error(`${url}: no answer`)));
    sent.once('error', reject);
  });
}
