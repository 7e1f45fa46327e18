import { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { EngineEvent } from '../api/events.ts';
import { unixSocketDialer } from './dial.ts';
import type { Dial } from './dial.ts';
import { EngineClient } from './engine-client.ts';
import type { OutputChunk } from './output.ts';

/** A running engine with the image `hello`, whose containers know `sh`, `cat`, `echo`, `sleep`, `stty` and `seq` in the ways used here. */
export interface EngineUnderTest extends AsyncDisposable {
  readonly path: string;
}

/** What every engine must do for this client: run against the fake one and against the real one. */
export function engineClientSuite(
  title: string,
  start: () => Promise<EngineUnderTest>,
  /** What the engine cannot do yet: skipped, by name. */
  lacks: readonly 'detach keys'[] = [],
): void {
  describe(title, () => {
    let engine: EngineUnderTest;
    let client: EngineClient;

    beforeAll(async () => {
      engine = await start();
      client = new EngineClient(unixSocketDialer(engine.path));
    });

    afterAll(async () => {
      for (const { Id } of await client.containers.list({ all: true }))
        await client.containers.remove(Id, { force: true });
      client[Symbol.dispose]();
      await engine[Symbol.asyncDispose]();
    });

    const sh = (script: string): { Image: string; Cmd: string[] } => ({ Image: 'hello', Cmd: ['sh', '-c', script] });

    it('says who it is', async () => {
      expect(await client.ping()).toMatchObject({ osType: 'linux', apiVersion: expect.stringMatching(/^1\.\d+$/) });
      expect((await client.version()).ApiVersion).toBe((await client.ping()).apiVersion);
      expect((await client.info()).OSType).toBe('linux');
    });

    it('runs the default command of an image to its end', async () => {
      const { Id } = await client.containers.create({ Image: 'hello' });
      using session = await client.containers.attach(Id, { stdout: true, stderr: true });
      using wait = await client.containers.wait(Id, 'next-exit');
      expect(await client.containers.start(Id)).toBe('started');
      expect((await collect(session.output)).stdout).toMatch(/hello/i);
      expect(await wait.answer).toMatchObject({ StatusCode: 0 });
    });

    it('keeps stdout, stderr and exit code apart and exact, live and in the log', async () => {
      const { Id } = await client.containers.create(sh('echo -n one; echo two >&2; echo three; exit 7'));
      using session = await client.containers.attach(Id, { stdout: true, stderr: true });
      using wait = await client.containers.wait(Id, 'next-exit');
      await client.containers.start(Id);
      expect(await collect(session.output)).toEqual({ stdout: 'onethree\n', stderr: 'two\n' });
      expect(await wait.answer).toMatchObject({ StatusCode: 7 });
      expect(await collect(await client.containers.logs(Id))).toEqual({ stdout: 'onethree\n', stderr: 'two\n' });
      expect(await collect(await client.containers.logs(Id, { stderr: true }))).toEqual({
        stdout: '',
        stderr: 'two\n',
      });
      expect((await client.containers.inspect(Id)).State).toMatchObject({ Status: 'exited', ExitCode: 7 });
    });

    it('passes stdin, and its end, on', async () => {
      const { Id } = await client.containers.create({ Image: 'hello', Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
      using session = await client.containers.attach(Id, { stdin: true, stdout: true, stderr: true });
      using wait = await client.containers.wait(Id, 'next-exit');
      await client.containers.start(Id);
      const input = Buffer.from(Array.from({ length: 50_000 }, (_, index) => index % 251));
      session.stdin.end(input);
      const { stdout } = await collect(session.output);
      expect(Buffer.from(stdout, 'latin1').equals(input)).toBe(true);
      expect(await wait.answer).toMatchObject({ StatusCode: 0 });
    });

    it('gives a terminal raw bytes, a size and its changes', async () => {
      const body = { ...sh('stty size; read line; stty size'), Tty: true, OpenStdin: true };
      const { Id } = await client.containers.create({ ...body, HostConfig: { ConsoleSize: [24, 80] } });
      using session = await client.containers.attach(Id, { stdin: true, stdout: true, stderr: true });
      await client.containers.start(Id);
      let text = '';
      for await (const { stream, payload } of session.output) {
        expect(stream).toBe('stdout');
        const isFirst = !text.includes('24 80');
        text += payload.toString();
        if (!isFirst || !text.includes('24 80')) continue;
        await client.containers.resize(Id, { rows: 40, columns: 120 });
        session.stdin.write('\n');
      }
      expect(text.replaceAll('\r\n', '\n').split('\n').filter(Boolean)).toEqual(['24 80', '40 120']);
    });

    it.skipIf(lacks.includes('detach keys'))(
      'ends a terminal session at the detach keys; the container lives on',
      async () => {
        const { Id } = await client.containers.create({
          Image: 'hello',
          Cmd: ['sleep', '1000'],
          Tty: true,
          OpenStdin: true,
        });
        using session = await client.containers.attach(Id, { stdin: true, stdout: true, detachKeys: 'ctrl-a,x' });
        await client.containers.start(Id);
        session.stdin.write('\x01x');
        await collect(session.output);
        expect((await client.containers.inspect(Id)).State.Running).toBe(true);
        await client.containers.remove(Id, { force: true });
      },
    );

    it('follows a log to the end of the container', async () => {
      const { Id } = await client.containers.create({ ...sh('echo a; read go; echo b'), OpenStdin: true });
      await client.containers.start(Id);
      using session = await client.containers.attach(Id, { stdin: true });
      let text = '';
      for await (const { payload } of await client.containers.logs(Id, { follow: true })) {
        text += payload.toString();
        if (text === 'a\n') session.stdin.write('\n');
      }
      expect(text).toBe('a\nb\n');
    });

    it('limits a log by lines and by time, and stamps it', async () => {
      const { Id } = await client.containers.create({ Image: 'hello', Cmd: ['seq', '5'] });
      using wait = await client.containers.wait(Id, 'next-exit');
      await client.containers.start(Id);
      await wait.answer;
      expect((await collect(await client.containers.logs(Id, { tail: 2 }))).stdout).toBe('4\n5\n');
      expect((await collect(await client.containers.logs(Id, { tail: 0 }))).stdout).toBe('');
      const stamped = (await collect(await client.containers.logs(Id, { timestamps: true, tail: 1 }))).stdout;
      expect(stamped).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 5\n$/);
      const later = String(Math.ceil(Date.now() / 1000) + 60);
      expect((await collect(await client.containers.logs(Id, { since: later }))).stdout).toBe('');
      expect((await collect(await client.containers.logs(Id, { until: '1.5' }))).stdout).toBe('');
    });

    it('stops, kills and restarts; says when there is nothing to do', async () => {
      const trapping = sh('trap "exit 5" TERM; echo ready; sleep 1000 & wait');
      const { Id } = await client.containers.create(trapping);
      await client.containers.start(Id);
      await logged(client, Id, 'ready');
      expect(await client.containers.start(Id)).toBe('already-running');
      expect(await client.containers.stop(Id)).toBe('stopped');
      expect((await client.containers.inspect(Id)).State.ExitCode).toBe(5);
      expect(await client.containers.stop(Id)).toBe('already-stopped');
      await client.containers.restart(Id, { timeoutSeconds: 0 });
      expect((await client.containers.inspect(Id)).State.Running).toBe(true);
      using wait = await client.containers.wait(Id);
      await client.containers.kill(Id);
      expect(await wait.answer).toMatchObject({ StatusCode: 137 });
      await expect(client.containers.kill(Id)).rejects.toMatchObject({
        statusCode: 409,
        message: expect.stringContaining('is not running'),
      });
    });

    it('lists by state, name, label and number, newest first', async () => {
      const labelled = { Image: 'hello', Labels: { suite: 'list', other: 'x=y' } };
      const first = await client.containers.create(labelled, { name: 'suite-list-1' });
      const second = await client.containers.create(labelled, { name: 'suite-list-2' });
      const names = async (options: Parameters<typeof client.containers.list>[0]): Promise<string[]> =>
        (await client.containers.list(options)).flatMap(({ Names }) => Names);
      expect(await names({ filters: { label: ['suite=list'] } })).toEqual([]);
      expect(await names({ all: true, filters: { label: ['suite=list', 'other=x=y'] } })).toEqual([
        '/suite-list-2',
        '/suite-list-1',
      ]);
      expect(await names({ all: true, filters: { name: ['list-1'] } })).toEqual(['/suite-list-1']);
      expect(await names({ limit: 1 })).toEqual(['/suite-list-2']);
      expect(await names({ filters: { status: ['created'], label: ['suite'] } })).toHaveLength(2);
      for (const { Id } of [first, second]) await client.containers.remove(Id);
    });

    it('refuses in Docker’s words', async () => {
      await expect(client.containers.create({ Image: 'no-such-image' })).rejects.toMatchObject({
        statusCode: 404,
        message: 'No such image: no-such-image:latest',
      });
      await expect(client.containers.inspect('no-such-one')).rejects.toMatchObject({
        statusCode: 404,
        message: 'No such container: no-such-one',
      });
      const { Id } = await client.containers.create(
        { Image: 'hello', Cmd: ['sleep', '1000'] },
        { name: 'suite-refuse' },
      );
      await expect(client.containers.create({ Image: 'hello' }, { name: 'suite-refuse' })).rejects.toMatchObject({
        statusCode: 409,
        message: expect.stringContaining(`The container name "/suite-refuse" is already in use by container "${Id}"`),
      });
      await client.containers.start(Id);
      await expect(client.containers.remove(Id)).rejects.toMatchObject({ statusCode: 409 });
      await client.containers.remove(Id, { force: true });
      await expect(client.containers.wait(Id)).rejects.toMatchObject({ statusCode: 404 });
    });

    it('says why a program could not be started', async () => {
      const { Id } = await client.containers.create({ Image: 'hello', Cmd: ['no-such-program'] });
      await expect(client.containers.start(Id)).rejects.toMatchObject({
        statusCode: 400,
        message: expect.stringContaining('executable file not found'),
      });
      expect((await client.containers.inspect(Id)).State).toMatchObject({ Status: 'created', ExitCode: 127 });
      await client.containers.remove(Id);
    });

    it('tells the whole life of a container that removes itself, in order', async () => {
      using events = await client.events({ filters: { type: ['container'], label: ['suite=events'] } });
      const { Id } = await client.containers.create({
        ...sh('exit 4'),
        Labels: { suite: 'events' },
        HostConfig: { AutoRemove: true },
      });
      using wait = await client.containers.wait(Id, 'removed');
      await client.containers.start(Id);
      const seen: EngineEvent[] = [];
      for await (const event of events) {
        seen.push(event);
        if (event.Action === 'destroy') break;
      }
      expect(seen.map(({ Action }) => Action)).toEqual(['create', 'start', 'die', 'destroy']);
      expect(seen.every(({ Actor }) => Actor.ID === Id)).toBe(true);
      expect(seen[2]?.Actor.Attributes).toMatchObject({ exitCode: '4', suite: 'events' });
      expect(await wait.answer).toMatchObject({ StatusCode: 4 });
      await expect(client.containers.inspect(Id)).rejects.toMatchObject({ statusCode: 404 });
    });

    it('replays events from a moment on', async () => {
      const since = String(Date.now() / 1000 - 0.001);
      const { Id } = await client.containers.create({ Image: 'hello' });
      const actions: string[] = [];
      for await (const { Action } of await client.events({ since, filters: { container: [Id] } })) {
        actions.push(Action);
        break;
      }
      expect(actions).toEqual(['create']);
    });

    it('lists and shows images', async () => {
      const [image] = (await client.images.list()).filter(({ RepoTags }) => RepoTags.includes('hello:latest'));
      expect(image?.Id).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(await client.images.inspect('hello')).toMatchObject({ Id: image?.Id });
      await expect(client.images.inspect('no-such-image')).rejects.toMatchObject({ statusCode: 404 });
    });

    it('works over any stream, not only over sockets', async () => {
      const plain: Dial = async (signal) => {
        const socket = await unixSocketDialer(engine.path)(signal);
        const wrapped = new Duplex({
          allowHalfOpen: true,
          read: () => void socket.resume(),
          write: (chunk, _encoding, callback) => void socket.write(chunk, callback),
          final: (callback) => void socket.end(callback),
          destroy: (error, callback) => {
            socket.destroy();
            callback(error);
          },
        });
        socket.on('data', (chunk) => {
          if (!wrapped.push(chunk)) socket.pause();
        });
        socket.on('end', () => wrapped.push(null));
        socket.on('error', (error) => wrapped.destroy(error));
        return wrapped;
      };
      using other = new EngineClient(plain);
      await other.info();
      const { Id } = await other.containers.create({ Image: 'hello', Cmd: ['cat'], OpenStdin: true, StdinOnce: true });
      using session = await other.containers.attach(Id, { stdin: true, stdout: true });
      await other.containers.start(Id);
      session.stdin.end('through a plain stream');
      expect((await collect(session.output)).stdout).toBe('through a plain stream');
    });
  });
}

async function collect(output: AsyncIterable<OutputChunk>): Promise<{ stdout: string; stderr: string }> {
  const text = { stdout: '', stderr: '' };
  for await (const { stream, payload } of output) text[stream] += payload.toString('latin1');
  return text;
}

async function logged(client: EngineClient, id: string, wanted: string): Promise<void> {
  let text = '';
  for await (const { payload } of await client.containers.logs(id, { follow: true })) {
    text += payload.toString();
    if (text.includes(wanted)) return;
  }
  throw new Error(`the log of ${id} ended without ${wanted}: ${text}`);
}
