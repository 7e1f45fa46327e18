import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { pastEvents } from '../event-log.ts';
import { directory, file, link, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

interface Mount {
  readonly Type: string;
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly RW: boolean;
  readonly Mode: string;
  readonly Propagation: string;
}
interface Inspect {
  readonly Mounts: readonly Mount[];
  readonly HostConfig: Readonly<Record<string, unknown>>;
  readonly Config: Readonly<Record<string, unknown>>;
}
interface Volume {
  readonly Name: string;
  readonly Mountpoint: string;
  readonly Labels: Readonly<Record<string, string>> | null;
}

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: volumes and mounts', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let scratch: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    scratch = mkdtempSync(path.join(os.tmpdir(), 'skiff-volumes-'));
    await loadImage(engine.socket, 'filled', {
      layer: [
        directory('data/', { mode: 0o750, userId: 1000, groupId: 1001 }),
        file('data/one', '1', { userId: 1000 }),
        directory('data/deep/'),
        file('data/deep/two', '2'),
        link('data/lnk', '/etc/passwd'),
        directory('empty/', { mode: 0o700, userId: 1000 }),
        directory('var/'),
        link('var/link', '/data'),
        link('var/out', '../../../../etc'),
      ],
      config: { Volumes: { '/data': {}, '/empty': {} } },
    });
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(scratch, { recursive: true, force: true });
  });

  const api = (method: string, url: string, body?: unknown): Promise<Answer> => call(engine.socket, method, url, body);
  const message = async (method: string, url: string, body?: unknown): Promise<string> => {
    const answer = await api(method, url, body);
    return `${answer.status} ${(JSON.parse(answer.text || '{}') as { message?: string }).message ?? ''}`;
  };
  const volumes = async (filters = {}): Promise<readonly string[]> => {
    const answer = await api('GET', `/volumes?filters=${encodeURIComponent(JSON.stringify(filters))}`);
    return (answer.json() as { Volumes: readonly Volume[] }).Volumes.map(({ Name }) => Name);
  };
  const volume = async (name: string): Promise<Volume> => (await api('GET', `/volumes/${name}`)).json() as Volume;
  const out = async (script: string, host = {}, config = {}): Promise<string> =>
    (await boxes.run(script, { host, config })).output.trimEnd();
  const refusal = (host: object, config: object = {}): Promise<string> =>
    message('POST', '/containers/create', { Image: 'hello', Cmd: ['true'], HostConfig: host, ...config });

  it('55: a volume is made once, known by its name, and removed when no container uses it', async () => {
    const made = await api('POST', '/volumes/create', { Name: 'once', Labels: { a: 'b' } });
    expect(made.status).toBe(201);
    expect(made.json()).toMatchObject({
      Name: 'once',
      Driver: 'local',
      Labels: { a: 'b' },
      Options: null,
      Scope: 'local',
    });
    const again = await api('POST', '/volumes/create', { Name: 'once', Labels: { c: 'd' } });
    expect(again.json()).toEqual(made.json());
    const { id } = await boxes.create('true', { host: { Binds: ['once:/x'] } });
    expect(await message('DELETE', '/volumes/once')).toBe(`409 remove once: volume is in use - [${id}]`);
    expect(await message('DELETE', '/volumes/once?force=1')).toContain('409');
    await boxes.remove(id);
    expect(existsSync((await volume('once')).Mountpoint)).toBe(true);
    expect((await api('DELETE', '/volumes/once')).status).toBe(204);
    expect(await message('DELETE', '/volumes/once')).toBe('404 get once: no such volume');
    expect((await api('DELETE', '/volumes/once?force=1')).status).toBe(204);
    expect(await message('GET', '/volumes/once')).toBe('404 get once: no such volume');
  });

  it.each([
    [{ Name: 'f' }, '400 create f: volume name is too short, names should be at least two alphanumeric characters'],
    [{ Name: '../up' }, /^400 create \.\.\/up: "\.\.\/up" includes invalid characters for a local volume name/],
    [{ Name: '.hidden' }, /^400 create \.hidden: /],
    [{ Name: 'vv', Driver: 'nope' }, '404 create vv: error looking up volume plugin nope: plugin "nope" not found'],
    [{ Name: 'vv', DriverOpts: { foo: '1' } }, '400 create vv: invalid option: "foo"'],
    [{ Name: 'vv', DriverOpts: { type: 'tmpfs' } }, '400 create vv: missing required option: "device"'],
    [{ Name: 'vv', DriverOpts: { size: '10m' } }, '400 create vv: quota size requested but no quota support'],
    [{ Name: 'vv', DriverOpts: { size: 'abc' } }, "400 create vv: invalid size: 'abc'"],
  ])('55: refuses %j', async (body, expected) => {
    expect(await message('POST', '/volumes/create', body)).toEqual(
      typeof expected === 'string' ? expected : expect.stringMatching(expected),
    );
    expect(await volumes({ name: ['^vv$'] })).toEqual([]);
  });

  it('53, 31: rm -v and --rm take anonymous volumes along, never named ones, and none that others use', async () => {
    const host = { Binds: ['named:/n'] };
    const config = { Volumes: { '/anon': {} } };
    const first = (await boxes.create('true', { host, config })).id;
    const anonymous = (await boxes.inspect<Inspect>(first)).Mounts.find(({ Destination }) => Destination === '/anon');
    const name = anonymous?.Name ?? '';
    expect((await volume(name)).Labels).toEqual({ 'com.docker.volume.anonymous': '' });
    const second = (await boxes.create('true', { host: { VolumesFrom: [first] } })).id;
    await api('DELETE', `/containers/${first}?v=1`);
    expect(await volumes()).toEqual(expect.arrayContaining([name, 'named']));
    await api('DELETE', `/containers/${second}?v=1`);
    expect(await volumes()).not.toContain(name);
    expect(await volumes()).toContain('named');

    const before = await volumes();
    await boxes.run('touch /anon/x /n/x', { host, config });
    const kept = (await boxes.create('true', { config })).id;
    await api('DELETE', `/containers/${kept}`);
    const left = (await volumes()).filter((each) => !before.includes(each));
    expect(left).toHaveLength(1);
    await api('DELETE', `/volumes/${left[0]}`);
    await api('DELETE', '/volumes/named');
  });

  it('31: a container with --rm takes its anonymous volumes along when it ends', async () => {
    const before = await volumes();
    const { id } = await boxes.create('true', { host: { AutoRemove: true }, config: { Volumes: { '/anon': {} } } });
    const gone = api('POST', `/containers/${id}/wait?condition=removed`);
    await boxes.start(id);
    await gone;
    expect(await volumes()).toEqual(before);
  });

  it('54, 12: an empty volume gets what the image has there, owner and mode too, when the container is made', async () => {
    const { id } = await boxes.create('true', { config: { Image: 'filled' }, host: { Binds: ['copied:/data'] } });
    const { Mountpoint } = await volume('copied');
    expect(readFileSync(path.join(Mountpoint, 'deep/two'), 'utf8')).toBe('2');
    expect(statSync(Mountpoint)).toMatchObject({ uid: 1000, gid: 1001 });
    expect(statSync(Mountpoint).mode & 0o7777).toBe(0o750);
    expect(statSync(path.join(Mountpoint, 'one')).uid).toBe(1000);
    const { Mounts } = await boxes.inspect<Inspect>(id);
    const empty = Mounts.find(({ Destination }) => Destination === '/empty');
    expect(empty?.Type).toBe('volume');
    expect(statSync(empty?.Source ?? '')).toMatchObject({ uid: 1000 });
    expect(statSync(empty?.Source ?? '').mode & 0o7777).toBe(0o700);
    await boxes.remove(id);
    await api('DELETE', '/volumes/copied');
  });

  it('54: not with nocopy, not into one that has something, not for binds, not for a part of a volume', async () => {
    const config = { Image: 'filled' };
    const list = (host: object): Promise<string> => out('ls /data', host, config);
    expect(await list({ Binds: ['bare:/data:nocopy'] })).toBe('');
    expect(await list({ Binds: ['bare:/data'] })).toBe('deep\nlnk\none');
    await out('rm -r /x/* && echo 1 > /x/own && mkdir /x/part', { Binds: ['bare:/x'] });
    expect(await list({ Binds: ['bare:/data'] })).toBe('own\npart');
    const part = { Type: 'volume', Source: 'bare', Target: '/data', VolumeOptions: { Subpath: 'part' } };
    expect(await list({ Mounts: [part] })).toBe('');
    mkdirSync(path.join(scratch, 'bound'));
    expect(await list({ Binds: [`${path.join(scratch, 'bound')}:/data`] })).toBe('');
    await api('DELETE', '/volumes/bare');
  });

  it('54: a destination behind a link is what the link leads to inside the image, and never outside', async () => {
    const config = { Image: 'filled' };
    expect(await out('ls /var/link', { Binds: ['linked:/var/link'] }, config)).toBe('deep\nlnk\none');
    expect(await out('ls /var/out', { Binds: ['outside:/var/out'] }, config)).toBe(
      'group\nhostname\nhosts\nmtab\npasswd\nresolv.conf',
    );
    await api('DELETE', '/volumes/linked');
    await api('DELETE', '/volumes/outside');
  });

  it('56: -v makes a missing directory of the host, --mount does not unless it is told to', async () => {
    const made = path.join(scratch, 'made/by/v');
    await out('touch /x/y', { Binds: [`${made}:/x`] });
    expect(existsSync(path.join(made, 'y'))).toBe(true);
    const missing = path.join(scratch, 'missing');
    const mount = { Type: 'bind', Source: missing, Target: '/x' };
    expect(await refusal({ Mounts: [mount] })).toBe(
      `400 invalid mount config for type "bind": bind source path does not exist: ${missing}`,
    );
    await out('touch /x/y', { Mounts: [{ ...mount, BindOptions: { CreateMountpoint: true } }] });
    expect(existsSync(path.join(missing, 'y'))).toBe(true);
  });

  it.each([
    [{ Binds: ['a'] }, /invalid mount path: 'a' mount path must be absolute/],
    [{ Binds: ['vol:b'] }, /invalid mount path: 'b' mount path must be absolute/],
    [{ Binds: ['vol:/'] }, /destination can't be '\/'/],
    [{ Binds: ['vol:/x:foo'] }, /^400 invalid mode: foo$/],
    [{ Binds: ['vol:/x:ro,rw'] }, /^400 invalid mode: ro,rw$/],
    [{ Binds: ['/a:/b:/c:d'] }, /^400 invalid volume specification: '\/a:\/b:\/c:d'$/],
    [{ Binds: ['vol:/x:rshared'] }, /field BindOptions must not be specified/],
    [{ Binds: ['/tmp:/x:nocopy'] }, /field VolumeOptions must not be specified/],
    [{ Binds: ['../up:/x'] }, /^400 create \.\.\/up: "\.\.\/up" includes invalid characters/],
    [{ Mounts: [{ Type: 'foo', Target: '/x' }] }, /^400 invalid mount config for type "foo": mount type unknown$/],
    [{ Mounts: [{ Type: 'bind', Target: '/x' }] }, /field Source must not be empty/],
    [
      { Mounts: [{ Type: 'bind', Source: 'rel', Target: '/x' }] },
      /invalid mount path: 'rel' mount path must be absolute/,
    ],
    [{ Mounts: [{ Type: 'volume', Source: 'vol' }] }, /field Target must not be empty/],
    [{ Mounts: [{ Type: 'tmpfs', Source: 'a', Target: '/x' }] }, /field Source must not be specified/],
    [
      { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/x', VolumeOptions: {} }] },
      /^400 VolumeOptions must not be specified on mount type "bind"$/,
    ],
    [
      { Mounts: [{ Type: 'volume', Source: 'vol', Target: '/x', VolumeOptions: { Subpath: '../x' } }] },
      /subpath must be a relative path within the volume/,
    ],
    [{ Mounts: [{ Type: 'image', Source: 'nope', Target: '/x' }] }, /^404 No such image: nope:latest$/],
    [{ VolumesFrom: ['nobody'] }, /^400 No such container: nobody$/],
    [{ VolumesFrom: ['nobody:foo'] }, /^400 invalid mode: foo$/],
    [{ VolumesFrom: [''] }, /^400 volumes-from specification cannot be an empty string$/],
    [{ VolumeDriver: 'nope', Binds: ['zz:/x'] }, /^404 create zz: error looking up volume plugin nope/],
  ])('56, 60: refuses %j', async (host, expected) => {
    const before = await volumes();
    expect(await refusal(host)).toMatch(expected);
    expect(await volumes()).toEqual(before);
  });

  it('14: the same target twice is refused', async () => {
    expect(await refusal({ Binds: ['va:/x', 'vb:/x/'] })).toBe('400 Duplicate mount point: /x');
    expect(await refusal({ Binds: ['va:/x'], Tmpfs: { '/x': '' } })).toBe('400 Duplicate mount point: /x');
  });

  it('60: takes the mounts of another container, for reading only where it is told, before its own', async () => {
    const bound = path.join(scratch, 'from');
    mkdirSync(bound);
    writeFileSync(path.join(bound, 'f'), 'bound');
    const source = await boxes.create('true', {
      name: 'source',
      host: { Binds: ['sourced:/s', `${bound}:/b:ro`], Mounts: [{ Type: 'volume', Target: '/anon' }] },
    });
    await out('echo from > /s/f', { VolumesFrom: ['source'] });
    expect(await out('cat /s/f /b/f; touch /b/x 2>&1; ls -d /anon', { VolumesFrom: [source.id] })).toBe(
      'from\nboundtouch: /b/x: Read-only file system\n/anon',
    );
    expect(await out('touch /s/x 2>&1', { VolumesFrom: ['source:ro'] })).toBe('touch: /s/x: Read-only file system');
    expect(await out('ls /s', { VolumesFrom: ['source'], Binds: ['others:/s'] })).toBe('');
    await boxes.remove(source.id);
    await api('DELETE', '/volumes/sourced');
    await api('DELETE', '/volumes/others');
  });

  it('60: mounts are made by depth: /a is there before /a/b', async () => {
    const script = 'touch /a/b/c/in-c /a/in-a; ls /a /a/b';
    expect(await out(script, { Binds: ['vc:/a/b/c', 'va:/a'] })).toBe('/a:\nb\nin-a\n\n/a/b:\nc');
    expect(await out('ls /c', { Binds: ['vc:/c'] })).toBe('in-c');
    for (const name of ['va', 'vc']) await api('DELETE', `/volumes/${name}`);
  });

  it('12: the working directory is made when the container is, and a file in its place is refused', async () => {
    const { id } = await boxes.create('true', { config: { WorkingDir: '/a/b/c' } });
    const changes = (await api('GET', `/containers/${id}/changes`)).json();
    expect(changes).toEqual(['/a', '/a/b', '/a/b/c'].map((each) => ({ Path: each, Kind: 1 })));
    await boxes.remove(id);
    expect(await refusal({}, { WorkingDir: '/etc/passwd' })).toBe('400 Cannot mkdir: /etc/passwd is not a directory');
    expect(await out('pwd', {}, { WorkingDir: '/var/link', Image: 'filled' })).toBe('/data');
  });

  it('58: a shared mount needs a shared source; the engine’s own data is never held', async () => {
    const bound = path.join(scratch, 'shared');
    const { id } = await boxes.create('true', { host: { Binds: [`${bound}:/x:rshared`] } });
    expect(await message('POST', `/containers/${id}/start`)).toMatch(/is mounted on .* but it is not a shared mount/);
    await boxes.remove(id);
    const data = await boxes.create('true', { host: { Binds: ['/:/host'] } });
    expect((await boxes.inspect<Inspect>(data.id)).Mounts).toMatchObject([{ Source: '/', Propagation: 'rslave' }]);
    await boxes.start(data.id);
    await boxes.remove(data.id);
    expect(await refusal({ Binds: ['/:/host:private'] })).toMatch(
      /must use either propagation mode "rslave" or "rshared"/,
    );
  });

  it('59: a tmpfs has docker’s defaults, size and mode as given, and nothing of it is in an export', async () => {
    const mounts = 'grep -E " /(t|u) " /proc/mounts | cut -d" " -f2,4; stat -c %a /t';
    const mount = { Type: 'tmpfs', Target: '/t', TmpfsOptions: { SizeBytes: 1 << 20, Mode: 0o750 } };
    const seen = await out(mounts, { Mounts: [mount], Tmpfs: { '/u': 'size=64k,exec' } });
    expect(seen).toMatch(/\/t rw,nosuid,nodev,noexec,.*size=1024k,mode=750/);
    expect(seen).toMatch(/\/u rw,nosuid,nodev,relatime,size=64k/);
    expect(seen).toMatch(/750$/);
  });

  it('55: a volume with a device is mounted while a container runs with it', async () => {
    const options = { type: 'tmpfs', device: 'tmpfs', o: 'size=1m,uid=1000' };
    await api('POST', '/volumes/create', { Name: 'memory', DriverOpts: options });
    const { Mountpoint } = await volume('memory');
    const isMounted = (): boolean => readFileSync('/proc/self/mounts', 'utf8').includes(Mountpoint);
    const [first, second] = [
      await boxes.keep({ host: { Binds: ['memory:/x'] } }),
      await boxes.keep({ host: { Binds: ['memory:/x'] } }),
    ];
    expect(isMounted()).toBe(true);
    expect(statSync(Mountpoint).uid).toBe(1000);
    await boxes.remove(first);
    expect(isMounted()).toBe(true);
    await boxes.remove(second);
    expect(isMounted()).toBe(false);
    await api('DELETE', '/volumes/memory');

    await api('POST', '/volumes/create', {
      Name: 'broken',
      DriverOpts: { type: 'none', device: '/nowhere', o: 'bind' },
    });
    expect(await refusal({ Binds: ['broken:/etc'] })).toMatch(
      /^500 error while mounting volume '.*': failed to mount local volume: .*no such file or directory/,
    );
    await api('DELETE', '/volumes/broken');
  });

  it('55: a part of a volume is mounted as it is found, and one that leads out is refused', async () => {
    await out('mkdir -p /x/a/b; echo deep > /x/a/b/f; ln -s /etc /x/out; ln -s a/b /x/in', { Binds: ['parts:/x'] });
    const part = (Subpath: string): Readonly<Record<string, unknown>> => ({
      Mounts: [{ Type: 'volume', Source: 'parts', Target: '/p', VolumeOptions: { Subpath } }],
    });
    expect(await out('cat /p/f', part('a/b'))).toBe('deep');
    expect(await out('cat /p/f', part('in'))).toBe('deep');
    expect(await out('cat /p', part('a/b/f'))).toBe('deep');
    for (const [subpath, expected] of [
      ['out', /it leads out of the volume/],
      ['nope', /cannot access path .*parts\/_data\/nope: no such file or directory/],
    ] as const) {
      const { id } = await boxes.create('true', { host: part(subpath) });
      expect(await message('POST', `/containers/${id}/start`)).toMatch(expected);
      await boxes.remove(id);
    }
    expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(`${engine.dataRoot}/containers`);
    await api('DELETE', '/volumes/parts');
  });

  it('an image is mounted for reading, and its layers stay while the container is there', async () => {
    const mount = { Type: 'image', Source: 'filled', Target: '/img' };
    expect(await out('cat /img/data/one; touch /img/x 2>&1', { Mounts: [mount] })).toBe(
      '1touch: /img/x: Read-only file system',
    );
    const part = { ...mount, ImageOptions: { Subpath: 'data/deep' } };
    expect(await out('ls /img', { Mounts: [part] })).toBe('two');
  });

  it('51: prune removes anonymous volumes alone, all with all=1, never those with a device', async () => {
    await api('POST', '/volumes/create', { Name: 'pruned' });
    await api('POST', '/volumes/create', { Name: 'device', DriverOpts: { type: 'tmpfs', device: 'tmpfs' } });
    await api('POST', '/volumes/create', { Name: 'labelled', Labels: { keep: '1' } });
    const anonymous = ((await api('POST', '/volumes/create', {})).json() as Volume).Name;
    writeFileSync(path.join((await volume(anonymous)).Mountpoint, 'f'), 'x'.repeat(1000));
    const used = await boxes.create('true', { config: { Volumes: { '/used': {} } } });
    const first = (await api('POST', '/volumes/prune')).json();
    expect(first).toEqual({ VolumesDeleted: [anonymous], SpaceReclaimed: 1000 });
    const filters = encodeURIComponent(JSON.stringify({ all: ['1'], 'label!': ['keep'] }));
    expect((await api('POST', `/volumes/prune?filters=${filters}`)).json()).toMatchObject({
      VolumesDeleted: ['pruned'],
    });
    expect(await volumes()).toEqual(expect.arrayContaining(['device', 'labelled']));
    await boxes.remove(used.id);
    for (const name of ['device', 'labelled']) await api('DELETE', `/volumes/${name}`);
    expect(await message('POST', `/volumes/prune?filters=${encodeURIComponent('{"foo":["x"]}')}`)).toBe(
      "400 invalid filter 'foo'",
    );
  });

  it('50: lists by name, label, driver, and whether a container uses it', async () => {
    await api('POST', '/volumes/create', { Name: 'list-a', Labels: { x: '1' } });
    await api('POST', '/volumes/create', { Name: 'list-b' });
    const { id } = await boxes.create('true', { host: { Binds: ['list-b:/x'] } });
    expect(await volumes({ name: ['^list-'] })).toEqual(['list-a', 'list-b']);
    expect(await volumes({ name: ['list'], label: ['x=1'] })).toEqual(['list-a']);
    expect(await volumes({ name: ['list'], dangling: ['true'] })).toEqual(['list-a']);
    expect(await volumes({ name: ['list'], dangling: ['0'] })).toEqual(['list-b']);
    expect(await volumes({ driver: ['other'] })).toEqual([]);
    expect(await message('GET', '/volumes?filters={"dangling":["x"]}')).toBe("400 invalid filter 'dangling=[x]'");
    await boxes.remove(id);
    for (const name of ['list-a', 'list-b']) await api('DELETE', `/volumes/${name}`);
  });

  it('46: tells of volumes that are made, mounted, unmounted and removed', async () => {
    await boxes.run('true', { host: { Binds: ['told:/t:ro'] } });
    await api('DELETE', '/volumes/told');
    const events = await pastEvents(engine.socket, { volume: ['told'], type: ['volume'] });
    expect(events.map(({ Action }) => Action)).toEqual(['create', 'mount', 'unmount', 'destroy']);
    expect(events[1]?.Actor.Attributes).toMatchObject({
      driver: 'local',
      destination: '/t',
      propagation: '',
      'read/write': 'false',
    });
  });

  it('inspect tells every mount as it was asked for, so that a create with it makes the same container', async () => {
    const bound = path.join(scratch, 'bound');
    const host = {
      Binds: ['in-a:/a', `${bound}:/b:ro`, '/anon'],
      Mounts: [
        { Type: 'volume', Source: 'in-c', Target: '/c', VolumeOptions: { NoCopy: true, Labels: { l: '1' } } },
        { Type: 'bind', Source: bound, Target: '/d', ReadOnly: true, BindOptions: { NonRecursive: true } },
        { Type: 'tmpfs', Target: '/e', TmpfsOptions: { SizeBytes: 65536, Mode: 511 } },
        { Type: 'image', Source: 'filled', Target: '/f' },
      ],
      Tmpfs: { '/g': 'size=64k' },
    };
    const first = await boxes.create('true', { host, config: { Volumes: { '/v': {} } } });
    const told = await boxes.inspect<Inspect>(first.id);
    for (const [field, value] of Object.entries(host)) {
      expect([...Object.entries(told.HostConfig[field] ?? {})].sort(), field).toEqual(Object.entries(value).sort());
    }
    expect(told.Config['Volumes']).toEqual({ '/v': {} });
    expect(told.Mounts.map(({ Type, Destination, Mode, RW }) => [Destination, Type, Mode, RW]).sort()).toEqual([
      ['/a', 'volume', 'z', true],
      ['/anon', 'volume', 'z', true],
      ['/b', 'bind', 'ro', false],
      ['/c', 'volume', 'z', true],
      ['/d', 'bind', '', false],
      ['/e', 'tmpfs', '', true],
      ['/f', 'image', '', false],
      ['/v', 'volume', '', true],
    ]);
    const second = await boxes.create('true', { host: told.HostConfig, config: told.Config });
    expect((await boxes.inspect<Inspect>(second.id)).HostConfig).toEqual(told.HostConfig);
    await boxes.remove(first.id);
    await boxes.remove(second.id);
    for (const name of ['in-a', 'in-c']) await api('DELETE', `/volumes/${name}`);
  });

  it('27: a killed engine keeps its volumes, who uses them, and what runs with them', async () => {
    const running = await boxes.keep({ host: { Binds: ['kept:/x'], Mounts: [{ Type: 'volume', Target: '/anon' }] } });
    await engine.crash();
    await engine.start();
    expect(await message('DELETE', '/volumes/kept')).toBe(`409 remove kept: volume is in use - [${running}]`);
    await boxes.remove(running);
    expect(await volumes()).toEqual(['kept']);
    await api('DELETE', '/volumes/kept');
  });
});
