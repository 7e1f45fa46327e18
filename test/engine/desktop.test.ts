import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Container, ContainerKey } from '../../desktop/contract/containers.ts';
import type { EngineConnection } from '../../desktop/contract/engine.ts';
import { FollowedList, openDesktopOn, type DesktopOn } from '../peers/desktop-core.ts';
import { FakeMachines } from '../peers/fake-machines.ts';
import { describeWith } from '../skip.ts';
import { startEngine, type RunningEngine } from './start-engine.ts';

const machine = 'default';

describeWith(['linux', 'root', { program: 'crun' }], 'the desktop and the real engine', () => {
  let engine: RunningEngine;
  let desktop: DesktopOn;
  let containers: FollowedList<Container, ContainerKey>;
  let connections: FollowedList<EngineConnection, string>;

  beforeAll(async () => {
    engine = await startEngine();
    const machines = new FakeMachines({ engineSocket: engine.socket });
    machines.add(machine);
    desktop = openDesktopOn({ machines });
    connections = new FollowedList(
      (signal) => desktop.client.engine.watch({}, { signal }),
      (connection) => connection.machine,
    );
    containers = new FollowedList(
      (signal) => desktop.client.containers.watch({}, { signal }),
      ({ machine, id }) => ({ machine, id }),
    );
    await connections.until((rows) => rows.find(({ state }) => state === 'ready'));
  });

  afterAll(async () => {
    await containers[Symbol.asyncDispose]();
    await connections[Symbol.asyncDispose]();
    await desktop[Symbol.asyncDispose]();
    await engine[Symbol.asyncDispose]();
    expect(desktop.faults).toEqual([]);
  });

  const row = (id: string, state: string): Promise<Container> =>
    containers.until((rows) => rows.find((one) => one.id === id && one.state === state));
  const shell = (script: string): { machine: string; image: string; command: string[] } => ({
    machine,
    image: 'hello',
    command: ['sh', '-c', script],
  });
  const logOf = async (id: string): Promise<string[]> => {
    const lines: string[] = [];
    for await (const item of desktop.client.logs.open({ machine, id, follow: false, tail: null })) {
      lines.push(...item.lines.map(({ stream, text }) => `${stream}: ${text}`));
    }
    return lines;
  };

  it('runs hello by one call, shows it end, and reads its log', async () => {
    const { id } = await desktop.client.containers.runHello({ machine });
    const ended = await containers.until((rows) =>
      rows.find((one) => one.id === id && one.state === 'exited' && one.exitCode !== null),
    );
    expect(ended).toMatchObject({ exitCode: 0, image: 'hello', error: null });
    expect(ended.startedAt).toBeGreaterThanOrEqual(ended.createdAt);
    expect(await logOf(id)).not.toEqual([]);
    await desktop.client.containers.remove({ machine, id });
    await containers.until((rows) => rows.every((one) => one.id !== id));
  });

  it('stops, starts, restarts, inspects and removes', async () => {
    const { id, name } = await desktop.client.containers.run({
      ...shell('trap "exit 5" TERM; echo up; while :; do sleep 0.1; done'),
      name: 'desk-box',
      env: [{ name: 'A', value: 'b=c' }],
    });
    expect(name).toBe('desk-box');
    const first = await row(id, 'running');
    // By then its shell has set the trap.
    await expect.poll(() => logOf(id)).toContain('stdout: up');
    await desktop.client.containers.stop({ machine, id, graceSeconds: 5 });
    expect(await row(id, 'exited')).toMatchObject({ exitCode: 5 });
    await desktop.client.containers.start({ machine, id });
    const second = await row(id, 'running');
    expect(second.startedAt).not.toBe(first.startedAt);
    const details = await desktop.client.containers.inspect({ machine, id: 'desk-box' });
    expect(details.env).toContainEqual({ name: 'A', value: 'b=c' });
    await desktop.client.containers.restart({ machine, id, graceSeconds: 5 });
    await containers.until((rows) => rows.find((one) => one.id === id && one.startedAt !== second.startedAt));
    expect(await logOf(id)).toContain('stdout: up');
    await desktop.client.containers.remove({ machine, id, force: true });
    await containers.until((rows) => rows.every((one) => one.id !== id));
  });

  it('answers for what is not there and what is taken in the engine’s words', async () => {
    const { run, start } = desktop.client.containers;
    await expect(run({ machine, image: 'absent:1' })).rejects.toMatchObject({
      code: 'no-such-image',
      message: expect.stringContaining('No such image: absent:1'),
    });
    await expect(start({ machine, id: 'nobody' })).rejects.toMatchObject({ code: 'no-such-container' });
    const { id } = await run({ ...shell('true'), name: 'desk-one' });
    await expect(run({ ...shell('true'), name: 'desk-one' })).rejects.toMatchObject({ code: 'conflict' });
    await expect(run({ machine, image: 'hello', command: ['/no/such/program'] })).rejects.toMatchObject({
      code: 'engine-refused',
    });
    await desktop.client.containers.remove({ machine, id, force: true });
    await containers.until((rows) => rows.length === 0);
  });

  it('follows a log through a crash of the engine, each line once', async () => {
    const { id } = await desktop.client.containers.run(shell('i=0; while :; do echo $i; i=$((i+1)); sleep 0.02; done'));
    const stop = new AbortController();
    const numbers: number[] = [];
    const reading = (async () => {
      const log = desktop.client.logs.open({ machine, id, tail: null }, { signal: stop.signal });
      for await (const { lines } of log) numbers.push(...lines.map(({ text }) => Number(text)));
    })();
    await expect.poll(() => numbers.length).toBeGreaterThan(10);
    await row(id, 'running');
    await engine.crash();
    await connections.until((rows) => rows.find(({ state }) => state === 'stale'));
    expect(containers.rows.map((one) => one.id)).toEqual([id]);
    await engine.start();
    await connections.until((rows) => rows.find(({ state }) => state === 'ready'));
    const soFar = numbers.length;
    await expect.poll(() => numbers.length).toBeGreaterThan(soFar + 10);
    expect(await row(id, 'running')).toBeDefined();
    stop.abort();
    await reading;
    expect(numbers).toEqual(numbers.map((_, index) => index));
    await desktop.client.containers.remove({ machine, id, force: true });
  });
});
