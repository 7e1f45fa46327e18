/**
 * How long a list of twenty machines takes, one of which cannot be reached: a host that takes the connection of nobody. The engine's
 * side of it has no part in this; what is measured is the list itself, and `skiff machine ls` from its start to its end.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { openMachines } from '../provisioners/index.ts';
import { readyDocument } from '../provisioners/store/document.fixture.ts';
import { parseMachineName } from '../provisioners/store/machine-name.ts';
import { MachineStore } from '../provisioners/store/machine-store.ts';
import type { Bench, Measurement } from './contender.ts';

const rounds = 20;
/** A connection on loopback that is not there by then waits for somebody who never comes. */
const hangMs = 500;

export function machineListBench(): Bench {
  return { name: 'machine-list', title: 'twenty machines listed, one unreachable', run };
}

async function run(): Promise<readonly Measurement[]> {
  const home = await mkdtemp(path.join(os.tmpdir(), 'skiff-bench-'));
  try {
    await using hole = await openBlackHole();
    const store = new MachineStore(home);
    for (let number = 1; number < 20; number++) await add(store, { name: `web-${number}`, driver: 'qemu', memory: {} });
    const access = { kind: 'ssh', host: '127.0.0.1', port: hole.port, user: 'root', hostKey: 'x', jumps: [] };
    const samples: Record<string, number[]> = { 'all reached': [], 'one not': [], 'skiff ls': [] };
    const machines = openMachines({ home });
    for (const contender of ['all reached', 'one not', 'skiff ls']) {
      if (contender === 'one not') await add(store, { name: 'far', driver: 'generic', memory: { isOn: true, access } });
      for (let round = 0; round < rounds; round++) {
        const before = performance.now();
        if (contender === 'skiff ls') await listByCommand(home);
        else await machines.list();
        samples[contender]?.push(performance.now() - before);
      }
    }
    const states = (await machines.list()).map(({ state }) => state);
    if (states.filter((state) => state === 'stopped').length !== 19 || !states.includes('unknown'))
      throw new Error(`the list is not as it should be: ${states.join(', ')}`);
    return [{ what: 'ms for the list', samples, baseline: null, note: 'goal: at most 300 ms with one unreachable' }];
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

async function add(
  store: MachineStore,
  what: { readonly name: string; readonly driver: string; readonly memory: Readonly<Record<string, unknown>> },
): Promise<void> {
  const name = parseMachineName(what.name);
  await store.makeFolders(name);
  const { driver, memory: driverMemory } = what;
  await store.write(
    name,
    readyDocument(name, { driver, driverMemory, settings: driver === 'generic' ? { ipAddress: '127.0.0.1' } : {} }),
  );
  await writeFile(store.machine(name).dataDisk, '');
}

async function listByCommand(home: string): Promise<void> {
  const skiff = path.resolve(import.meta.dirname, '../cli/skiff.mjs');
  const child = spawn(process.execPath, [skiff, 'machine', 'ls'], {
    env: { ...process.env, SKIFF_HOME: home },
    stdio: 'ignore',
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`skiff machine ls ended with ${code}`);
}

/** A server that stands still with its queue full: the system answers no further connection. */
async function openBlackHole(): Promise<AsyncDisposable & { readonly port: number }> {
  const program =
    "const s = require('net').createServer().listen(0, '127.0.0.1', 1, () => console.log(s.address().port))";
  const server = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [told] = (await once(server.stdout, 'data')) as [Buffer];
  const port = Number(told.toString());
  server.kill('SIGSTOP');
  const waiting: Socket[] = [];
  // The queue takes a few before it is full; the next one hangs.
  for (let isTaken = true; isTaken;) {
    const socket = connect({ host: '127.0.0.1', port });
    waiting.push(socket.on('error', () => undefined));
    isTaken = await Promise.race([
      once(socket, 'connect').then(() => true),
      new Promise<boolean>((resolve) => setTimeout(() => resolve(false), hangMs)),
    ]);
  }
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of waiting) socket.destroy();
      server.kill('SIGKILL');
      await once(server, 'exit');
    },
  };
}
