import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../../../test/eventually.ts';
import {
  FollowedList,
  openDesktopCore,
  type DesktopCore,
  type DesktopCoreOptions,
} from '../../../test/peers/desktop-core.ts';
import type { Container, ContainerKey } from '../../contract/containers.ts';
import type { EngineConnection } from '../../contract/engine.ts';
import type { Clock } from '../clock.ts';
import { backOffMs } from './back-off.ts';

/** A clock on which every sleep lasts until the test says so. */
class HeldClock implements Clock {
  readonly sleeps: { readonly ms: number; readonly wake: () => void }[] = [];

  now(): number {
    return 1_000_000;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.sleeps.push({ ms, wake: resolve });
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

describe('the line to an engine', () => {
  let desktop: DesktopCore;
  let clock: HeldClock;
  let connections: FollowedList<EngineConnection, string>;
  let containers: FollowedList<Container, ContainerKey>;

  const open = async (options: DesktopCoreOptions = {}): Promise<void> => {
    clock = new HeldClock();
    desktop = await openDesktopCore({ clock, prepare: (machines) => machines.add('default'), ...options });
    connections = new FollowedList(
      (signal) => desktop.client.engine.watch({}, { signal }),
      ({ machine }) => machine,
    );
    containers = new FollowedList(
      (signal) => desktop.client.containers.watch({}, { signal }),
      ({ machine, id }) => ({ machine, id }),
    );
  };
  const state = (wanted: string): Promise<EngineConnection> =>
    connections.until((rows) => rows.find((row) => row.machine === 'default' && row.state === wanted));

  afterEach(async () => {
    await connections[Symbol.asyncDispose]();
    await containers[Symbol.asyncDispose]();
    await desktop.core[Symbol.asyncDispose]();
    await desktop.engine.server.allClosed();
    await desktop[Symbol.asyncDispose]();
    expect(desktop.faults).toEqual([]);
  });

  it('is ready when the machine runs, with the versions of its engine', async () => {
    await open();
    expect(await state('ready')).toMatchObject({ engineVersion: '0.0.0-fake', apiVersion: '1.55' });
  });

  it('is stale while the engine is away, keeping what was known, and whole again afterwards', async () => {
    await open();
    await state('ready');
    const { id } = await desktop.client.containers.run({
      machine: 'default',
      image: 'hello',
      command: ['sleep', '1000'],
    });
    await containers.until((rows) => rows.some((row) => row.id === id));
    desktop.engine.disconnectAll();
    const stale = await state('stale');
    expect(stale).toMatchObject({ since: 1_000_000, retryAt: 1_000_250, error: { code: 'engine-unreachable' } });
    expect(containers.rows.map((row) => row.id)).toEqual([id]);
    const missed = desktop.engine.state.create({ Image: 'hello', Cmd: ['true'] }, 'missed');
    await desktop.engine.state.remove(desktop.engine.state.container(id), true);
    clock.sleeps.at(-1)?.wake();
    await state('ready');
    await containers.until((rows) => rows.length === 1 && rows[0]?.id === missed.id);
  });

  it('tries again with growing pauses, and at once when asked', async () => {
    await open({ prepare: (machines) => machines.add('default', { dockerSocket: '/nowhere/docker.sock' }) });
    expect(await state('failed')).toMatchObject({ retryAt: 1_000_250, error: { code: 'engine-unreachable' } });
    for (let round = 0; round < 3; round += 1) {
      const before = clock.sleeps.length;
      clock.sleeps.at(-1)?.wake();
      await eventually(() => clock.sleeps.length).toBe(before + 1);
    }
    expect(clock.sleeps.map(({ ms }) => ms)).toEqual([250, 500, 1000, 2000]);
    await desktop.client.engine.reconnect({ machine: 'default' });
    await eventually(() => clock.sleeps.map(({ ms }) => ms)).toEqual([250, 500, 1000, 2000, 250]);
    await expect(desktop.client.engine.reconnect({ machine: 'nobody' })).rejects.toMatchObject({
      code: 'no-such-machine',
    });
  });

  it('tries again at once when the host agent has its connection back', async () => {
    await open();
    await state('ready');
    desktop.machines.change('default', { agent: { connection: 'lost', error: 'asleep', forwards: [] } });
    desktop.engine.disconnectAll();
    await state('stale');
    desktop.machines.change('default', { agent: { connection: 'ready', error: null, forwards: [] } });
    await state('ready');
  });

  it('is off, without containers, when the machine stops, and new when it starts again', async () => {
    await open();
    await state('ready');
    desktop.engine.state.create({ Image: 'hello', Cmd: ['true'] }, 'box');
    await containers.until((rows) => rows.length === 1);
    desktop.machines.change('default', { state: 'stopping' });
    await state('off');
    await containers.until((rows) => rows.length === 0);
    await desktop.engine.server.allClosed();
    desktop.machines.change('default', { state: 'running' });
    await state('ready');
    await containers.until((rows) => rows.length === 1);
    desktop.machines.drop('default');
    await connections.until((rows) => rows.length === 0);
  });

  it('is one per machine', async () => {
    await open();
    desktop.machines.add('two');
    await connections.until((rows) => rows.filter((row) => row.state === 'ready').length === 2);
    desktop.engine.state.create({ Image: 'hello', Cmd: ['true'] }, 'box');
    await containers.until((rows) => rows.length === 2);
    expect(containers.rows.map(({ machine }) => machine).toSorted()).toEqual(['default', 'two']);
  });
});

it('pauses longer after each failure, up to ten seconds', () => {
  expect([1, 2, 3, 4, 5, 6, 7, 50].map(backOffMs)).toEqual([250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});
