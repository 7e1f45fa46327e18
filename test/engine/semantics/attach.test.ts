import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { describeWith } from '../../skip.ts';
import { call } from '../api.ts';
import { docker, eventually } from '../docker.ts';
import { framesOf, openRaw, type RawRequest, type RawStream } from '../raw-stream.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

describeWith(['linux', 'root', { program: 'crun' }, { program: 'docker' }], 'semantics: attach', () => {
  let engine: RunningEngine;
  beforeAll(async () => void (engine = await startEngine()));
  afterAll(() => engine[Symbol.asyncDispose]());

  const all = 'stream=1&stdin=1&stdout=1&stderr=1';
  const made = async (name: string, flags: readonly string[], command: readonly string[]): Promise<void> => {
    const words = ['create', '--network', 'none', '--name', name, ...flags, 'hello', ...command];
    expect(await docker(engine.socket, words)).toMatchObject({ exitCode: 0, stderr: '' });
  };
  const post = async (path: string): Promise<number> => (await call(engine.socket, 'POST', path)).status;
  const start = (name: string): Promise<number> => post(`/containers/${name}/start`);
  const attach = (name: string, query = all, more: Partial<RawRequest> = {}): Promise<RawStream> =>
    openRaw(engine.socket, { path: `/v1.45/containers/${name}/attach?${query}`, ...more });
  const logOf = async (name: string): Promise<string> => (await docker(engine.socket, ['logs', name])).stdout;
  const loop = 'i=0; while read x; do echo "$i $x"; i=$((i+1)); done; echo over';

  it.each(['tcp', 'none'] as const)(
    '28: before the start loses no byte of either stream (upgrade: %s)',
    async (upgrade) => {
      const name = `first-${upgrade}`;
      await made(name, [], ['sh', '-c', 'echo out; sleep 0.05; echo err >&2']);
      using stream = await attach(name, 'stream=1&stdout=1&stderr=1', { upgrade });
      expect([stream.status, stream.contentType]).toEqual(
        upgrade === 'tcp'
          ? [101, 'application/vnd.docker.multiplexed-stream']
          : [200, 'application/vnd.docker.raw-stream'],
      );
      await start(name);
      expect(framesOf(await stream.end())).toEqual(['stdout: out\n', 'stderr: err\n']);
    },
  );

  it.each(['tcp', 'none'] as const)(
    '34: the end of the first client’s input is the end of stdin (upgrade: %s)',
    async (upgrade) => {
      const name = `once-${upgrade}`;
      await made(name, ['-i'], ['sh', '-c', loop]);
      using stream = await attach(name, all, { upgrade });
      await start(name);
      stream.socket.write('one\n');
      await stream.until((text) => text.includes('0 one'), 'the first answer');
      stream.socket.end('two\n');
      expect(framesOf(await stream.end())).toEqual(['stdout: 0 one\n1 two\nover\n']);
    },
  );

  it('34: input in a chunked body reaches the container without its framing', async () => {
    await made('chunked', ['-i'], ['sh', '-c', loop]);
    using stream = await attach('chunked', all, {
      upgrade: 'none',
      headers: { 'Transfer-Encoding': 'chunked' },
      early: '4\r\none\n\r\n',
    });
    await start('chunked');
    await stream.until((text) => text.includes('0 one'), 'the first answer');
    stream.socket.write('4\r\ntwo\n\r\n0\r\n\r\n');
    expect(framesOf(await stream.end())).toEqual(['stdout: 0 one\n1 two\nover\n']);
  });

  it('34: without StdinOnce stdin stays open when a client leaves; without OpenStdin there is none', async () => {
    const body = { Image: 'hello', Cmd: ['sh', '-c', loop], OpenStdin: true, HostConfig: { NetworkMode: 'none' } };
    expect((await call(engine.socket, 'POST', '/containers/create?name=open', body)).status).toBe(201);
    await start('open');
    using first = await attach('open');
    first.socket.write('one\n');
    await first.until((text) => text.includes('0 one'), 'the first answer');
    first.socket.end();
    using second = await attach('open');
    second.socket.write('two\n');
    await second.until((text) => text.includes('1 two'), 'the second answer');
    await post('/containers/open/kill');

    await made('closed', [], ['cat']);
    using none = await attach('closed');
    await start('closed');
    none.socket.write('nothing\n');
    expect((await none.end()).length).toBe(0);
  });

  it('32: is refused while paused or waiting for a restart, and for what is not there', async () => {
    await made('still', [], ['sleep', '60']);
    await start('still');
    await post('/containers/still/pause');
    using paused = await attach('still');
    expect(paused.status).toBe(409);
    expect((await paused.end()).toString()).toContain('still is paused, unpause the container before attach');
    await post('/containers/still/unpause');
    using nobody = await attach('nobody');
    expect(nobody.status).toBe(404);
    using keys = await attach('still', `${all}&detachKeys=bad`);
    expect([keys.status, (await keys.end()).toString()]).toEqual([
      400,
      expect.stringContaining('Invalid detach keys (bad) provided'),
    ]);
  });

  it('32: with logs=1 and without a stream replays what there is, and ends', async () => {
    await made('replayed', [], ['sh', '-c', 'echo out; sleep 0.05; echo err >&2']);
    await start('replayed');
    await post('/containers/replayed/wait');
    using stream = await attach('replayed', 'logs=1&stdout=1&stderr=1');
    expect(framesOf(await stream.end())).toEqual(['stdout: out\n', 'stderr: err\n']);
    using one = await attach('replayed', 'logs=1&stderr=1', { upgrade: 'none' });
    expect(framesOf(await one.end())).toEqual(['stderr: err\n']);
    using nothing = await attach('replayed', 'stdout=1');
    expect((await nothing.end()).length).toBe(0);
  });

  it('32: with logs=1 and a stream gives each line once while the container writes', async () => {
    await made('both', ['-i'], ['sh', '-c', 'i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done; read x']);
    await start('both');
    await eventually('some lines', async () => ((await logOf('both')).length > 1000 ? true : null));
    using stream = await attach('both', 'logs=1&stream=1&stdout=1&stdin=1');
    stream.socket.write('enough\n');
    const text = framesOf(await stream.end())
      .join('')
      .replace('stdout: ', '');
    expect(text.trimEnd().split('\n').map(Number)).toEqual(Array.from({ length: 20_000 }, (_, line) => line));
  });

  it('33: is left by the detach keys, and the container lives', async () => {
    await made('left', ['-it'], ['cat']);
    await start('left');
    using stream = await attach('left');
    expect(stream.contentType).toBe('application/vnd.docker.raw-stream');
    stream.socket.write('\u0010a\n');
    await stream.until((text) => text.includes('^Pa\r\n'), 'a part that is not the sequence');
    stream.socket.write('\u0010');
    stream.socket.write('\u0011');
    await stream.end();
    using other = await attach('left', `${all}&detachKeys=ctrl-a,b`);
    other.socket.write('\u0010\u0001c\n');
    await other.until((text) => text.includes('^P^Ac'), 'keys that mean nothing here');
    other.socket.write('\u0001b');
    await other.end();
    const state = (await call(engine.socket, 'GET', '/containers/left/json')).json() as { State: { Running: boolean } };
    expect(state.State.Running).toBe(true);
    const until = String(Date.now() / 1000 + 0.05);
    const { text } = await call(engine.socket, 'GET', `/events?since=1&until=${until}&filters={"event":["detach"]}`);
    expect(text.trim().split('\n')).toHaveLength(2);
  });

  it('33: keys mean nothing without a terminal', async () => {
    await made('binary', ['-i'], ['od', '-An', '-tx1']);
    using stream = await attach('binary');
    await start('binary');
    stream.socket.end('\u0010\u0011');
    expect(framesOf(await stream.end())).toEqual(['stdout:  10 11\n']);
  });

  it('35: who does not read holds up neither the container nor its log', async () => {
    await made('fast', ['-i'], ['sh', '-c', 'read x; seq 3000000; echo over']);
    await start('fast');
    using slow = await attach('fast', 'stream=1&stdout=1');
    slow.socket.pause();
    using other = await attach('fast');
    other.socket.write('go\n');
    expect(await post('/containers/fast/wait')).toBe(200);
    expect((await docker(engine.socket, ['logs', '--tail', '2', 'fast'])).stdout).toBe('3000000\nover\n');
  });

  it('42: a resize wants two numbers and a container that runs; without a terminal it changes nothing', async () => {
    await made('plain', [], ['sleep', '60']);
    const resize = async (query: string): Promise<readonly [number, string]> => {
      const { status, text } = await call(engine.socket, 'POST', `/containers/plain/resize?${query}`);
      return [status, text.trim()];
    };
    expect((await resize('h=1&w=2'))[0]).toBe(409);
    await start('plain');
    expect(await resize('h=70000&w=2')).toEqual([200, '']);
    expect(await resize('h=x&w=2')).toEqual([400, '{"message":"invalid resize height \\"x\\": invalid syntax"}']);
    expect(await resize('h=5')).toEqual([400, '{"message":"invalid resize width \\"\\": invalid syntax"}']);
  });

  it('a client that reads slowly still gets the last byte of a container that has ended', async () => {
    await made('long', ['-i'], ['sh', '-c', 'read x; seq 300000']);
    using stream = await attach('long');
    await start('long');
    stream.socket.pause();
    stream.socket.write('go\n');
    await eventually('the container to wait or end', async () => {
      const { text } = await call(engine.socket, 'GET', '/containers/long/logs?stdout=1&tail=1');
      return text === '' ? null : true;
    });
    stream.socket.resume();
    const text = framesOf(await stream.end()).join('');
    expect(text.endsWith('\n300000\n')).toBe(true);
  });

  it('attaches by websocket, in binary messages without frames', async () => {
    await made('web', ['-i'], ['sh', '-c', 'read x; echo "got $x"; echo err >&2']);
    const socket = new WebSocket(`ws+unix://${engine.socket}:/v1.45/containers/web/attach/ws?${all}`);
    const messages: { text: string; isBinary: boolean }[] = [];
    socket.on('message', (data: Buffer, isBinary) => messages.push({ text: data.toString(), isBinary }));
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    await start('web');
    socket.send('hello\n');
    await new Promise((resolve) => socket.once('close', resolve));
    expect(messages.every(({ isBinary }) => isBinary)).toBe(true);
    expect(messages.map(({ text }) => text).join('')).toBe('got hello\nerr\n');
    const plain = await call(engine.socket, 'GET', '/containers/web/attach/ws?stream=1');
    expect(plain.status).toBe(400);
  });

  it('a websocket of before 1.42 has all streams, one of later those that it names', async () => {
    for (const [version, seen] of [
      ['1.41', 'out\nerr\n'],
      ['1.45', 'err\n'],
    ] as const) {
      const name = `web-${version}`;
      await made(name, [], ['sh', '-c', 'echo out; sleep 0.05; echo err >&2']);
      const path = `/v${version}/containers/${name}/attach/ws?stream=1&stderr=1`;
      const socket = new WebSocket(`ws+unix://${engine.socket}:${path}`);
      let text = '';
      socket.on('message', (data: Buffer) => (text += data.toString()));
      await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
      await start(name);
      await new Promise((resolve) => socket.once('close', resolve));
      expect(text).toBe(seen);
    }
  });

  it('a page of a browser cannot attach', async () => {
    await made('guarded', ['-i'], ['cat']);
    const socket = new WebSocket(`ws+unix://${engine.socket}:/containers/guarded/attach/ws?${all}`, {
      origin: 'https://example.com',
    });
    const error = await new Promise<Error>((resolve) => socket.once('error', resolve));
    expect(error.message).toContain('403');
  });
});
