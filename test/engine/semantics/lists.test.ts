import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWith } from '../../skip.ts';
import { type Answer, call } from '../api.ts';
import { Boxes } from '../box.ts';
import { eventually } from '../docker.ts';
import { pastEvents } from '../event-log.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const filtersOf = (filters: object): string => `filters=${encodeURIComponent(JSON.stringify(filters))}`;

describeWith(['linux', 'root', { program: 'crun' }], 'semantics: lists, prune, wait and removal of containers', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
  });
  afterAll(() => engine[Symbol.asyncDispose]());

  const api = (method: string, path: string, body?: unknown): Promise<Answer> =>
    call(engine.socket, method, path, body);
  const names = async (query: string): Promise<readonly string[]> =>
    ((await api('GET', `/containers/json?${query}`)).json() as { Names: string[] }[]).flatMap(({ Names }) => Names);

  it('5: a name has a slash before it wherever it is shown, and none is needed to find it', async () => {
    const { id } = await boxes.create('true', { name: 'slashed' });
    expect(await boxes.inspect<{ Name: string }>('slashed')).toMatchObject({ Name: '/slashed' });
    expect(await names('all=1&filters={"name":["slashed"]}')).toEqual(['/slashed']);
    expect((await api('GET', '/containers/%2Fslashed/json')).json()).toMatchObject({ Id: id });
    await boxes.remove(id);
  });

  it('50: filters as dockerd does', async () => {
    const one = await boxes.run('exit 1', { name: 'gone' });
    expect(one.exitCode).toBe(1);
    const ended = (await boxes.create('exit 3', { name: 'ended', config: { Labels: { tier: 'back', odd: 'a=b' } } }))
      .id;
    await boxes.start(ended);
    await call(engine.socket, 'POST', `/containers/${ended}/wait`);
    const web = await boxes.keep({
      name: 'web',
      config: { Labels: { tier: 'front' }, ExposedPorts: { '80/tcp': {}, '81/udp': {} } },
      host: { NetworkMode: 'bridge', PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } },
    });
    const made = (await boxes.create('true', { name: 'made', host: { Tmpfs: { '/scratch': '' } } })).id;
    const { NetworkSettings } = await boxes.inspect<{
      NetworkSettings: {
        Ports: Record<string, { HostPort: string }[]>;
        Networks: Record<string, { NetworkID: string }>;
      };
    }>(web);
    const port = NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '';
    const networkId = NetworkSettings.Networks['bridge']?.NetworkID ?? '';
    for (const [filters, all, expected] of [
      [{}, '', ['/web']],
      [{}, 'all=1', ['/made', '/web', '/ended']],
      [{ name: ['e'] }, 'all=1', ['/made', '/web', '/ended']],
      [{ name: ['^/we'] }, 'all=1', ['/web']],
      [{ name: ['['] }, 'all=1', []],
      [{ id: [web.slice(3, 20)] }, 'all=1', ['/web']],
      [{ label: ['tier'] }, 'all=1', ['/web', '/ended']],
      [{ label: ['tier=back', 'odd=a=b'] }, 'all=1', ['/ended']],
      [{ label: ['tier=back', 'odd=a'] }, 'all=1', []],
      [{ status: ['exited', 'created'] }, '', ['/made', '/ended']],
      [{ exited: ['3'] }, 'all=1', ['/ended']],
      [{ exited: ['3'] }, '', []],
      [{ exited: ['0'] }, 'all=1', []],
      [{ before: ['made'] }, 'all=1', ['/web', '/ended']],
      [{ since: ['ended'] }, 'all=1', ['/made', '/web']],
      [{ since: ['ended'], before: ['made'] }, 'all=1', ['/web']],
      [{ ancestor: ['hello'] }, 'all=1', ['/made', '/web', '/ended']],
      [{ ancestor: ['nosuch'] }, 'all=1', []],
      [{ network: ['bridge'] }, 'all=1', ['/web']],
      [{ network: [networkId.slice(0, 12)] }, 'all=1', ['/web']],
      [{ publish: [port] }, 'all=1', ['/web']],
      [{ publish: ['80'] }, 'all=1', []],
      [{ expose: ['79-80/tcp'] }, 'all=1', ['/web']],
      [{ expose: ['81'] }, 'all=1', []],
      [{ expose: ['81/udp'] }, 'all=1', ['/web']],
      [{ volume: ['/scratch'] }, 'all=1', ['/made']],
      [{ 'is-task': ['true'] }, 'all=1', []],
      [{ 'is-task': ['false'] }, '', ['/web']],
      [{}, 'limit=2', ['/made', '/web']],
      [{}, 'limit=-1', ['/web']],
    ] as const)
      expect(await names(`${all}&${filtersOf(filters)}`), JSON.stringify({ filters, all })).toEqual(expected);
    await Promise.all([ended, web, made].map((id) => boxes.remove(id)));
  });

  it.each([
    [
      { status: ['odd'] },
      400,
      /^invalid filter 'status=odd': invalid value for state \(odd\): must be one of created, running/,
    ],
    [
      { health: ['odd'] },
      400,
      /^invalid filter 'health=odd': invalid value for health \(odd\): must be one of none, starting/,
    ],
    [{ exited: ['x'] }, 400, /^invalid filter 'exited=x': strconv\.Atoi/],
    [{ 'is-task': ['true', 'false'] }, 400, /^invalid filter 'is-task=\[true false\]'$/],
    [{ 'label!': ['x'] }, 400, /^invalid filter 'label!'$/],
    [{ before: ['nosuch'] }, 404, /^No such container: nosuch$/],
    [{ publish: ['x'] }, 500, /^error while looking up for publish x/],
  ])('49, 50: refuses the filter %j', async (filters, status, message) => {
    const answer = await api('GET', `/containers/json?${filtersOf(filters)}`);
    expect(answer.status).toBe(status);
    expect((answer.json() as { message: string }).message).toMatch(message);
  });

  it('51: prunes what does not run, by label and age, and tells what it freed', async () => {
    const kept = await boxes.keep({ name: 'kept' });
    const labelled = (await boxes.create('true', { config: { Labels: { keep: 'me' } } })).id;
    const [a = '', b = ''] = await Promise.all([1, 2].map(async () => (await boxes.create('true')).id));
    const prune = async (filters: object): Promise<{ ContainersDeleted: string[] | null; SpaceReclaimed: number }> =>
      (await api('POST', `/containers/prune?${filtersOf(filters)}`)).json() as {
        ContainersDeleted: string[] | null;
        SpaceReclaimed: number;
      };
    expect(await prune({ until: ['1h'] })).toEqual({ ContainersDeleted: null, SpaceReclaimed: 0 });
    expect(await prune({ label: ['keep=you'] })).toEqual({ ContainersDeleted: null, SpaceReclaimed: 0 });
    const { ContainersDeleted } = await prune({ 'label!': ['keep'] });
    expect([...(ContainersDeleted ?? [])].toSorted()).toEqual([a, b].toSorted());
    expect((await prune({})).ContainersDeleted).toEqual([labelled]);
    const [event] = (await pastEvents(engine.socket, { event: ['prune'] })).slice(-1);
    expect(event).toMatchObject({ Type: 'container', Actor: { ID: '', Attributes: { reclaimed: '0' } } });
    for (const [filters, message] of [
      [{ odd: ['x'] }, `invalid filter 'odd'`],
      [{ until: ['x'] }, 'failed to parse value as time or duration: "x"'],
      [{ until: ['1m', '2m'] }, 'more than one until filter specified'],
    ] as const) {
      const answer = await api('POST', `/containers/prune?${filtersOf(filters)}`);
      expect(answer.status).toBe(400);
      expect((answer.json() as { message: string }).message).toBe(message);
    }
    await boxes.remove(kept);
  });

  it('51: one prune at a time', async () => {
    await Promise.all(Array.from({ length: 20 }, () => boxes.create('true')));
    const answers = await Promise.all([1, 2, 3].map(() => api('POST', '/containers/prune')));
    const statuses = answers.map(({ status }) => status).toSorted();
    // The last to come may come when the first has ended.
    expect([statuses[0], statuses[2]]).toEqual([200, 409]);
    expect(answers.find(({ status }) => status === 409)?.text).toContain('a prune operation is already running');
  });

  it('29, 30: a removal wakes everybody who waits', async () => {
    const { id } = await boxes.create('true');
    const waits = ['not-running', 'next-exit', 'removed'].map((condition) =>
      api('POST', `/containers/${id}/wait?condition=${condition}`),
    );
    expect((await (waits[0] ?? Promise.reject(new Error('no wait')))).json()).toEqual({ StatusCode: 0 });
    await api('DELETE', `/containers/${id}`);
    for (const wait of waits) expect((await wait).json()).toEqual({ StatusCode: 0 });
  });

  it('31: a start that fails removes a container with --rm, and tells those who wait its code', async () => {
    const { id } = await boxes.create(['nosuch'], { host: { AutoRemove: true } });
    const removed = api('POST', `/containers/${id}/wait?condition=removed`);
    const exited = api('POST', `/containers/${id}/wait?condition=next-exit`);
    expect((await api('POST', `/containers/${id}/start`)).status).toBe(400);
    expect((await exited).json()).toEqual({ StatusCode: 127 });
    expect((await removed).json()).toEqual({ StatusCode: 127 });
    expect((await api('GET', `/containers/${id}/json`)).status).toBe(404);
  });

  it('31: what had --rm and ended while no skiffd was there is removed at boot', async () => {
    const id = await boxes.keep({ host: { AutoRemove: true } });
    const { State } = await boxes.inspect<{ State: { Pid: number } }>(id);
    await engine.crash();
    process.kill(State.Pid, 'SIGKILL');
    await engine.start();
    await eventually('the removal', async () =>
      (await api('GET', `/containers/${id}/json`)).status === 404 ? true : null,
    );
  });

  it('52: a link that is none is dockerd’s 500', async () => {
    const { id } = await boxes.create('true', { name: 'lonely' });
    expect(await api('DELETE', '/containers/lonely?link=1')).toMatchObject({
      status: 500,
      text: expect.stringContaining('Conflict, cannot remove the default link name of the container') as string,
    });
    expect((await api('DELETE', '/containers/nobody/alias?link=1')).text).toContain(
      'Cannot get parent nobody for link',
    );
    await boxes.remove(id);
  });

  it('46: an event of a container has its labels, image and name', async () => {
    const { id } = await boxes.create('exit 5', { name: 'told', config: { Labels: { tier: 'back' } } });
    await boxes.start(id);
    await api('POST', `/containers/${id}/wait`);
    const [die] = await pastEvents(engine.socket, { container: ['told'], event: ['die'] });
    expect(die?.Actor).toMatchObject({
      ID: id,
      Attributes: {
        tier: 'back',
        image: 'hello',
        name: 'told',
        exitCode: '5',
        execDuration: expect.stringMatching(/^\d+$/) as string,
      },
    });
    expect(await pastEvents(engine.socket, { label: ['tier=back'], event: ['create'] })).toHaveLength(1);
    expect(await pastEvents(engine.socket, { image: ['hello'], type: ['image'], event: ['create'] })).toEqual([]);
    await boxes.remove(id);
  });

  it('47, 48: events come in the form that was asked for, with the old names below 1.52', async () => {
    const now = (Date.now() / 1000).toFixed(3);
    const get = (version: string, accept: string): Promise<Answer> =>
      call(
        engine.socket,
        'GET',
        `/v${version}/events?since=0&until=${now}&${filtersOf({ event: ['destroy'] })}`,
        undefined,
        {
          Accept: accept,
        },
      );
    const old = await get('1.51', 'application/json-seq');
    expect(old.headers['content-type']).toBe('application/json');
    expect(JSON.parse(old.text.split('\n')[0] ?? '')).toMatchObject({ status: 'destroy', from: 'hello' });
    const lines = await get('1.52', '*/*');
    expect(lines.headers['content-type']).toBe('application/x-ndjson');
    expect(JSON.parse(lines.text.split('\n')[0] ?? '')).not.toHaveProperty('status');
    const sequence = await get('1.55', 'application/json-seq');
    expect(sequence.headers['content-type']).toBe('application/json-seq');
    expect(sequence.text.startsWith('\x1e{')).toBe(true);
    expect((await call(engine.socket, 'GET', '/events?since=5&until=2')).json()).toEqual({
      message: '`since` time (5) cannot be after `until` time (2)',
    });
  });
});
