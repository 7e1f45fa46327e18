/**
 * How soon after an engine's `start` event a published port is there on this computer, on a QEMU machine: TCP as a client connects, UDP
 * as the machine's host agent tells. The event is the one that another client of the same socket hears.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import os from 'node:os';
import path from 'node:path';
import { EngineClient } from '../client/engine-client.ts';
import { unixSocketDialer } from '../client/dial.ts';
import { openMachines } from '../provisioners/index.ts';
import type { Machine } from '../provisioners/index.ts';
import type { Bench, Measurement } from './contender.ts';

const rounds = 15;

export function portsBench(): Bench {
  return { name: 'ports', title: 'published ports of a QEMU machine on this computer', run };
}

async function run(): Promise<readonly Measurement[]> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'skiff-bench-'));
  const machines = openMachines({
    environment: { ...process.env, SKIFF_HOME: home, DOCKER_CONFIG: path.join(home, 'docker') },
  });
  const operation = { report: () => undefined, signal: AbortSignal.timeout(900_000) };
  const samples: { tcp: number[]; udp: number[] } = { tcp: [], udp: [] };
  try {
    const machine = await machines.create({ name: 'bench', settings: {} }, operation);
    for (let round = 0; round < rounds; round++) {
      for (const protocol of ['tcp', 'udp'] as const) {
        const port = 42_000 + round;
        samples[protocol].push(await timeOfOne(machine, { protocol, port, look: () => machines.inspect('bench') }));
      }
    }
  } finally {
    await machines.remove('bench', operation);
    await rm(home, { recursive: true, force: true });
  }
  return [{ what: 'from the start event to the open port, ms', samples, baseline: null }];
}

async function timeOfOne(
  machine: Machine,
  of: { readonly protocol: 'tcp' | 'udp'; readonly port: number; readonly look: () => Promise<Machine> },
): Promise<number> {
  const { protocol, port, look } = of;
  using engine = new EngineClient(unixSocketDialer(machine.dockerSocket));
  const exposed = `80/${protocol}`;
  const { Id } = await engine.containers.create({
    Image: 'hello',
    Cmd: ['sleep', '600'],
    ExposedPorts: { [exposed]: {} },
    HostConfig: { PortBindings: { [exposed]: [{ HostPort: String(port) }] } },
  });
  using events = await engine.events({ filters: { type: ['container'], event: ['start'], container: [Id] } });
  const told = events[Symbol.asyncIterator]().next();
  const starting = engine.containers.start(Id);
  await told;
  const startedAt = performance.now();
  const isOpen =
    protocol === 'tcp'
      ? () => connects(port)
      : async () => (await look()).agent?.forwards.some(({ hostPort, state }) => hostPort === port && state === 'open');
  while ((await isOpen()) !== true) {
    if (performance.now() - startedAt > 20_000) throw new Error(`port ${port} (${protocol}) did not open`);
    await delay(2);
  }
  const tookMs = performance.now() - startedAt;
  await starting;
  await engine.containers.remove(Id, { force: true });
  return tookMs;
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
