import { Readable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import {
  openDesktopCore,
  FollowedList,
  type DesktopCore,
  type DesktopCoreOptions,
} from '../../../test/peers/desktop-core.ts';
import { archiveOf } from '../../../test/peers/fake-engine/archive.ts';
import type { Container, ContainerKey } from '../../contract/containers.ts';

const machine = 'default';

describe('containers', () => {
  let desktop: DesktopCore;
  let list: FollowedList<Container, ContainerKey>;

  const open = async (options: DesktopCoreOptions = {}): Promise<void> => {
    desktop = await openDesktopCore({ prepare: (machines) => machines.add(machine), ...options });
    list = new FollowedList(
      (signal) => desktop.client.containers.watch({}, { signal }),
      ({ machine, id }) => ({ machine, id }),
    );
    const engines = new FollowedList(
      (signal) => desktop.client.engine.watch({}, { signal }),
      (connection) => connection.machine,
    );
    await engines.until((rows) => rows.some(({ state }) => state === 'ready'));
    await engines[Symbol.asyncDispose]();
  };
  const shell = (script: string): { machine: string; image: string; command: string[] } => ({
    machine,
    image: 'hello',
    command: ['sh', '-c', script],
  });
  const lists = (): number => desktop.engine.requests.filter((line) => /GET .*\/containers\/json/.test(line)).length;

  afterEach(async () => {
    await list[Symbol.asyncDispose]();
    await desktop[Symbol.asyncDispose]();
    expect(desktop.faults).toEqual([]);
    expect(desktop.machines.watchers).toBe(0);
  });

  it('shows one come, run and end by events, after a single list', async () => {
    await open();
    const { id, name } = await desktop.client.containers.run({
      ...shell('trap "exit 3" TERM; sleep 1000 & wait'),
      name: 'box',
    });
    expect(name).toBe('box');
    const running = await list.until((rows) => rows.find((row) => row.id === id && row.state === 'running'));
    expect(running).toMatchObject({
      machine,
      name: 'box',
      image: 'hello',
      exitCode: null,
      finishedAt: null,
      error: null,
    });
    expect(running.startedAt).toBeGreaterThanOrEqual(running.createdAt);
    await desktop.client.containers.kill({ machine, id, signal: 'SIGTERM' });
    const ended = await list.until((rows) => rows.find((row) => row.id === id && row.state === 'exited'));
    expect(ended.exitCode).toBe(3);
    expect(ended.finishedAt).toBeGreaterThanOrEqual(ended.startedAt ?? Infinity);
    await desktop.client.containers.remove({ machine, id });
    await list.until((rows) => rows.every((row) => row.id !== id));
    expect(lists()).toBe(1);
  });

  it('shows exit codes and times of containers that were there before', async () => {
    desktop = await openDesktopCore();
    desktop.machines.add('other', { state: 'stopped' });
    list = new FollowedList(
      (signal) => desktop.client.containers.watch({}, { signal }),
      ({ machine, id }) => ({ machine, id }),
    );
    const old = desktop.engine.state.create({ Image: 'hello', Cmd: ['sh', '-c', 'exit 7'] }, 'old');
    desktop.engine.state.start(old);
    desktop.machines.add(machine);
    const row = await list.until((rows) => rows.find(({ name, exitCode }) => name === 'old' && exitCode !== null));
    expect(row).toMatchObject({ exitCode: 7, state: 'exited' });
    expect(row.startedAt).not.toBeNull();
  });

  it('stops, starts, restarts and kills; doing what is already so succeeds', async () => {
    await open();
    const { containers } = desktop.client;
    const { id } = await containers.run(shell('trap "exit 0" TERM; sleep 1000 & wait'));
    const state = (wanted: string) => list.until((rows) => rows.find((row) => row.id === id && row.state === wanted));
    const first = await state('running');
    await containers.start({ machine, id });
    await containers.stop({ machine, id, graceSeconds: 1 });
    await state('exited');
    await containers.stop({ machine, id });
    await containers.start({ machine, id });
    const second = await state('running');
    expect(second.startedAt).not.toBe(first.startedAt);
    await containers.restart({ machine, id, graceSeconds: 0 });
    await list.until((rows) => rows.find((row) => row.id === id && row.startedAt !== second.startedAt));
    await containers.kill({ machine, id });
    expect((await state('exited')).exitCode).toBe(137);
    await expect(containers.kill({ machine, id })).rejects.toMatchObject({ code: 'conflict' });
  });

  it('answers for what is not there with the engine’s words and a code', async () => {
    await open();
    const { containers } = desktop.client;
    await expect(containers.start({ machine, id: 'nobody' })).rejects.toMatchObject({
      code: 'no-such-container',
      message: expect.stringContaining('nobody'),
    });
    await expect(containers.run({ machine, image: 'absent' })).rejects.toMatchObject({ code: 'no-such-image' });
    await expect(containers.start({ machine: 'nowhere', id: 'x' })).rejects.toMatchObject({ code: 'no-such-machine' });
    desktop.machines.change(machine, { state: 'stopped' });
    await eventually(() => desktop.core.lists.connections.get(machine)?.state).toBe('off');
    await expect(containers.start({ machine, id: 'x' })).rejects.toMatchObject({ code: 'not-running' });
  });

  it('refuses a name that is taken and leaves nothing behind when a start fails', async () => {
    await open();
    const { containers } = desktop.client;
    await containers.run({ ...shell('sleep 1000'), name: 'one' });
    await expect(containers.run({ ...shell('true'), name: 'one' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(containers.run({ machine, image: 'hello', command: ['/no/such/program'] })).rejects.toMatchObject({
      code: expect.stringMatching(/engine-refused|invalid/),
    });
    expect([...desktop.engine.state.containers.values()].map(({ name }) => name)).toEqual(['one']);
  });

  it('inspects, with environment and ports as a person reads them', async () => {
    await open();
    const { id } = await desktop.client.containers.run({
      ...shell('sleep 1000'),
      env: [{ name: 'A', value: 'b=c' }],
      ports: [{ containerPort: 80, hostPort: 8080 }],
    });
    const details = await desktop.client.containers.inspect({ machine, id });
    expect(details).toMatchObject({
      argv: ['sh', '-c', 'sleep 1000'],
      env: [{ name: 'A', value: 'b=c' }],
      isTty: false,
      restartPolicy: 'no',
      container: { id, state: 'running', ports: [{ containerPort: 80, protocol: 'tcp', published: { port: 8080 } }] },
    });
    expect(details.raw['Id']).toBe(id);
  });

  it('says where a published port is reached, or why it is not', async () => {
    await open();
    const { id } = await desktop.client.containers.run({
      ...shell('sleep 1000'),
      ports: [{ containerPort: 80, hostPort: 8080 }],
    });
    const forwards = new FollowedList(
      (signal) => desktop.client.ports.watch({}, { signal }),
      (forward) => forward.id,
    );
    const port = { containerId: id, containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080 } as const;
    const tell = (state: 'open' | 'failed', error: string | null): void =>
      desktop.machines.change(machine, {
        agent: { connection: 'ready', error: null, forwards: [{ ...port, state, error }] },
      });
    tell('failed', 'port 8080 is in use on this computer');
    const row = (): Promise<Container['ports'][number]> =>
      list.until((rows) =>
        rows.find((one) => one.id === id)?.ports.find((one) => one.forwardError ?? one.localAddress),
      );
    expect(await row()).toMatchObject({ localAddress: null, forwardError: 'port 8080 is in use on this computer' });
    tell('open', null);
    await list.until((rows) => rows.find((one) => one.ports[0]?.localAddress === 'localhost:8080'));
    const forward = await forwards.until((rows) =>
      rows.find(({ state, containerName }) => state === 'open' && containerName),
    );
    expect(forward).toMatchObject({ machine, containerId: id, localAddress: 'localhost:8080', error: null });
    await forwards[Symbol.asyncDispose]();
  });

  it('looks at a container once for many events', async () => {
    await open();
    const { id } = await desktop.client.containers.run(shell('sleep 1000'));
    await list.until((rows) => rows.find((row) => row.id === id && row.state === 'running'));
    const before = desktop.engine.requests.length;
    const container = desktop.engine.state.container(id);
    for (let round = 0; round < 500; round += 1) desktop.engine.state.events.container('rename', container);
    for (let round = 0; round < 500; round += 1) desktop.engine.state.events.container('exec_create: sh', container);
    desktop.engine.state.kill(container, 'KILL');
    await list.until((rows) => rows.find((row) => row.id === id && row.state === 'exited'));
    // All events may come in one piece or in several; a look each would be five hundred.
    expect(desktop.engine.requests.length - before).toBeLessThan(50);
  });

  it('lists 2000 containers at once and keeps up', async () => {
    desktop = await openDesktopCore();
    for (let n = 0; n < 2000; n += 1) desktop.engine.state.create({ Image: 'hello', Cmd: ['true'] }, `box-${n}`);
    list = new FollowedList(
      (signal) => desktop.client.containers.watch({}, { signal }),
      ({ machine, id }) => ({ machine, id }),
    );
    desktop.machines.add(machine);
    await list.until((rows) => rows.length === 2000);
    expect(lists()).toBe(1);
  });

  describe('hello', () => {
    it('runs at once where the engine has it', async () => {
      await open();
      const { id } = await desktop.client.containers.runHello({ machine });
      await list.until((rows) => rows.find((row) => row.id === id && row.state === 'exited' && row.exitCode === 0));
      expect(desktop.engine.requests.some((line) => line.includes('images/load'))).toBe(false);
    });

    it('is loaded once where the engine lacks it, however many ask', async () => {
      const archive = archiveOf(['hello:latest']);
      const reads: number[] = [];
      await open({
        images: [],
        helloImage: {
          reference: 'hello',
          open: async () => {
            reads.push(archive.length);
            return { stream: Readable.from([archive]), sizeBytes: archive.length };
          },
        },
      });
      const tasks = new FollowedList(
        (signal) => desktop.client.app.tasks({}, { signal }),
        (task) => task.id,
      );
      const runs = await Promise.all([1, 2, 3].map(() => desktop.client.containers.runHello({ machine })));
      expect(new Set(runs.map(({ id }) => id)).size).toBe(3);
      expect(reads).toHaveLength(1);
      const task = await tasks.until((rows) => rows.find(({ state }) => state === 'done'));
      expect(task).toMatchObject({ title: 'Loading the image hello', machine, fraction: 1, error: null });
      await tasks[Symbol.asyncDispose]();
    });

    it('says so where there is none to load', async () => {
      await open({ images: [] });
      await expect(desktop.client.containers.runHello({ machine })).rejects.toMatchObject({ code: 'no-such-image' });
    });
  });
});
