import http from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JsonLineDecoder } from '../../api/json-lines.ts';
import { describeWith } from '../skip.ts';
import { type Answer, call } from './api.ts';
import { eventually } from './docker.ts';
import { openRaw } from './raw-stream.ts';
import { type RunningEngine, startEngine } from './start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }], 'the Docker Engine API of skiffd', () => {
  let engine: RunningEngine;
  const api = (method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer> =>
    call(engine.socket, method, path, body, headers);
  const create = async (body: object, name = ''): Promise<string> => {
    const { status, text } = await api('POST', `/containers/create${name === '' ? '' : `?name=${name}`}`, {
      Image: 'hello',
      ...body,
    });
    expect(status, text).toBe(201);
    return (JSON.parse(text) as { Id: string }).Id;
  };
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  it('says its version in every answer, also in errors', async () => {
    for (const answer of [await api('GET', '/_ping'), await api('GET', '/nosuch'), await api('DELETE', '/version')]) {
      expect(answer.headers).toMatchObject({ 'api-version': '1.55', ostype: 'linux', 'docker-experimental': 'false' });
    }
    expect(await api('GET', '/_ping')).toMatchObject({ status: 200, text: 'OK' });
    expect(await api('HEAD', '/_ping')).toMatchObject({ status: 200, text: '' });
    expect(await api('GET', '/nosuch')).toMatchObject({ status: 404, text: '{"message":"page not found"}\n' });
    expect(await api('DELETE', '/version')).toMatchObject({ status: 404, text: '{"message":"page not found"}\n' });
  });

  it.each([
    ['/v1.56/info', /client version 1\.56 is too new\. Maximum supported API version is 1\.55/],
    ['/v1.39/info', /client version 1\.39 is too old\. Minimum supported API version is 1\.40/],
  ])('refuses %s', async (path, message) => {
    const { status, text } = await api('GET', path);
    expect(status).toBe(400);
    expect(text).toMatch(message);
  });

  it('refuses what a page in a browser sends', async () => {
    expect(await api('GET', '/info', undefined, { Origin: 'http://evil.example' })).toMatchObject({ status: 403 });
    expect(await api('POST', '/containers/create', {}, { 'Sec-Fetch-Site': 'cross-site' })).toMatchObject({
      status: 403,
    });
  });

  it.each([
    ['POST', '/containers/create', '{', 400, /invalid JSON/],
    ['POST', '/containers/create', '[]', 400, /cannot unmarshal array/],
    ['POST', '/containers/create', { Image: 'nosuch' }, 404, /No such image: nosuch:latest/],
    [
      'POST',
      '/containers/create',
      { Image: 'hello', HostConfig: { Memory: 5 } },
      400,
      /Minimum memory limit allowed is 6MB/,
    ],
    ['POST', '/containers/create?name=a', { Image: 'hello' }, 400, /Invalid container name \(a\)/],
    [
      'POST',
      '/containers/create',
      { Image: 'hello', HostConfig: { Binds: ['/nowhere/at/all:/etc/hosts:zz'] } },
      400,
      /invalid mode: zz/,
    ],
    [
      'POST',
      '/containers/create',
      { Image: 'hello', HostConfig: { LogConfig: { Type: 'json-file', Config: { 'max-size': 'much' } } } },
      400,
      /max-size: invalid size: .much/,
    ],
    ['POST', '/containers/nobody/start', undefined, 404, /No such container: nobody/],
    ['GET', '/containers/json?filters={', undefined, 400, /invalid filter/],
    ['GET', '/containers/json?filters={"nosuch":["x"]}', undefined, 400, /invalid filter 'nosuch'/],
    ['GET', '/containers/json?filters={"status":["odd"]}', undefined, 400, /invalid filter 'status=odd'/],
    ['POST', '/containers/nobody/exec', { Cmd: ['true'] }, 404, /No such container: nobody/],
    ['GET', '/swarm', undefined, 503, /not a swarm manager/],
    ['GET', '/containers/%zz/json', undefined, 400, /percent encoding/],
  ])('%s %s %j is %i', async (method, path, body, status, message) => {
    const answer = await api(method, path, body);
    expect(answer.status, answer.text).toBe(status);
    expect((answer.json() as { message: string }).message).toMatch(message);
  });

  it('1: finds a container by id, name, name with a slash, and an unambiguous beginning of its id', async () => {
    const id = await create({}, 'lookup');
    for (const text of [id, 'lookup', '%2Flookup', id.slice(0, 12), id.slice(0, 4)]) {
      expect((await api('GET', `/containers/${text}/json`)).json()).toMatchObject({ Id: id, Name: '/lookup' });
    }
    await api('DELETE', `/containers/${id}`);
  });

  it('16, 17: a second start and a second stop are 304', async () => {
    const id = await create({ Cmd: ['sleep', '60'], StopSignal: 'KILL' });
    expect((await api('POST', `/containers/${id}/start`)).status).toBe(204);
    expect((await api('POST', `/containers/${id}/start`)).status).toBe(304);
    expect((await api('POST', `/containers/${id}/stop`)).status).toBe(204);
    expect((await api('POST', `/containers/${id}/stop`)).status).toBe(304);
    expect(await api('POST', `/containers/${id}/kill`)).toMatchObject({
      status: 409,
      text: expect.stringContaining('is not running'),
    });
    expect((await api('DELETE', `/containers/${id}`)).status).toBe(204);
  });

  it('18: a program that is not there leaves the container created, with the reason', async () => {
    const id = await create({ Cmd: ['nosuch'] });
    expect(await api('POST', `/containers/${id}/start`)).toMatchObject({
      status: 400,
      text: expect.stringContaining('executable file not found'),
    });
    expect((await api('GET', `/containers/${id}/json`)).json()).toMatchObject({
      State: { Status: 'created', ExitCode: 127, Error: expect.stringContaining('not found') },
    });
    expect((await api('DELETE', `/containers/${id}`)).status).toBe(204);
  });

  it('21: stop gives the container its time, then ends it', async () => {
    const id = await create({ Cmd: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] });
    await api('POST', `/containers/${id}/start`);
    const startedAt = performance.now();
    expect((await api('POST', `/containers/${id}/stop?t=1`)).status).toBe(204);
    expect(performance.now() - startedAt).toBeGreaterThan(950);
    expect((await api('GET', `/containers/${id}/json`)).json()).toMatchObject({
      State: { Status: 'exited', ExitCode: 137 },
    });
    await api('DELETE', `/containers/${id}`);
  });

  it('29, 30: waits for the next exit, for the removal, and refuses an unknown condition', async () => {
    const id = await create({ Cmd: ['sh', '-c', 'exit 9'] });
    expect((await api('POST', `/containers/${id}/wait`)).json()).toMatchObject({ StatusCode: 0 });
    expect((await api('POST', `/containers/${id}/wait?condition=odd`)).status).toBe(400);
    const exit = api('POST', `/containers/${id}/wait?condition=next-exit`);
    const removal = api('POST', `/containers/${id}/wait?condition=removed`);
    await api('POST', `/containers/${id}/start`);
    expect((await exit).json()).toMatchObject({ StatusCode: 9 });
    await api('DELETE', `/containers/${id}`);
    expect((await removal).json()).toMatchObject({ StatusCode: 9 });
  });

  it('47: tells the life of a container in docker’s order', async () => {
    const seen: string[] = [];
    const stream = http.get({ socketPath: engine.socket, path: '/v1.44/events' }, (response) => {
      const decoder = new JsonLineDecoder<unknown>(JSON.parse);
      response.on('data', (chunk: Buffer) => {
        for (const event of decoder.push(chunk) as { Type: string; Action: string; status?: string }[]) {
          // Only events of containers and images ever had the old fields.
          expect(event.status).toBe(event.Type === 'network' ? undefined : event.Action);
          seen.push(`${event.Type} ${event.Action}`);
        }
      });
    });
    await new Promise((resolve) => stream.once('response', resolve));
    const id = await create({ Cmd: ['true'], HostConfig: { AutoRemove: true } });
    await api('POST', `/containers/${id}/start`);
    await eventually('the end', () => (seen.includes('container destroy') ? true : null));
    stream.destroy();
    expect(seen).toEqual([
      'container create',
      'network connect',
      'container start',
      'container die',
      'network disconnect',
      'container destroy',
    ]);
    const past = await api(
      'GET',
      `/events?since=0&until=${Math.floor(Date.now() / 1000) + 1}&filters={"container":["${id}"],"event":["die"]}`,
    );
    expect(past.text.trim().split('\n')).toHaveLength(1);
    expect(JSON.parse(past.text)).toMatchObject({
      Action: 'die',
      Actor: { ID: id, Attributes: { exitCode: '0', image: 'hello' } },
    });
  });

  it('50: lists by name, label, status and number', async () => {
    const ids = [
      await create({ Labels: { part: 'a' } }, 'list-one'),
      await create({ Labels: { part: 'b' } }, 'list-two'),
    ];
    const names = async (query: string): Promise<string[]> =>
      ((await api('GET', `/containers/json?${query}`)).json() as { Names: string[] }[]).flatMap(({ Names }) => Names);
    expect(await names('all=1&filters={"name":["list-"]}')).toEqual(['/list-two', '/list-one']);
    expect(await names('all=1&filters={"label":["part=a"]}')).toEqual(['/list-one']);
    expect(await names('all=1&filters={"label":{"part":true},"name":{"two":true}}')).toEqual(['/list-two']);
    expect(await names('filters={"status":["created"]}&limit=1')).toEqual(['/list-two']);
    expect(await names('filters={"name":["list-"]}')).toEqual([]);
    for (const id of ids) await api('DELETE', `/containers/${id}`);
  });

  it('52: of two removals at once one does it and none is an error of ours', async () => {
    for (let round = 0; round < 10; round++) {
      const id = await create({ Cmd: ['sleep', '60'], HostConfig: { NetworkMode: 'none' } });
      await api('POST', `/containers/${id}/start`);
      const removals = await Promise.all([1, 2, 3].map(() => api('DELETE', `/containers/${id}?force=1`)));
      const statuses = removals.map(({ status }) => status);
      expect(statuses).toContain(204);
      for (const { status, text } of removals) expect([204, 404, 409], text).toContain(status);
    }
  });

  it('answers before it has all of a request, and the connection bears what still comes', async () => {
    using raw = await openRaw(engine.socket, {
      path: '/containers/nosuch/update',
      upgrade: 'none',
      headers: { 'Content-Type': 'application/json', 'Content-Length': '2' },
    });
    expect(raw.status).toBe(404);
    raw.socket.write('{}GET /_ping HTTP/1.1\r\nHost: engine\r\n\r\n');
    await raw.until((text) => text.endsWith('OK'), 'the answer to the next request');
  });

  it('answers a hundred containers at once', async () => {
    const all = Array.from({ length: 100 }, async () => {
      const id = await create({ Cmd: ['true'], HostConfig: { NetworkMode: 'none' } });
      const ended = api('POST', `/containers/${id}/wait?condition=next-exit`);
      expect((await api('POST', `/containers/${id}/start`)).status).toBe(204);
      expect((await ended).json()).toMatchObject({ StatusCode: 0 });
      expect((await api('DELETE', `/containers/${id}`)).status).toBe(204);
    });
    await Promise.all(all);
  });
});
