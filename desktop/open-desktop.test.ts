import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { runStep } from '../provisioners/progress.ts';
import { startFakeEngine, type FakeEngine } from '../test/peers/fake-engine.ts';
import { archiveOf } from '../test/peers/fake-engine/archive.ts';
import { FakeMachines } from '../test/peers/fake-machines.ts';
import { openDesktop, type Desktop } from './open-desktop.ts';

let folder: string;
let engine: FakeEngine;
let machines: FakeMachines;
let desktop: Desktop;
const faults: Error[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-desktop-'));
  engine = await startFakeEngine({ images: [] });
  machines = new FakeMachines({ engineSocket: engine.path });
  const helloArchive = join(folder, 'hello.tar');
  await writeFile(helloArchive, archiveOf(['hello:latest']));
  desktop = openDesktop({
    version: '1.2.3',
    host: 'browser',
    capabilities: { tray: false, nativeDialogs: false },
    defaultMachine: 'mine',
    machines,
    helloArchive,
    report: (fault) => faults.push(fault),
  });
});

afterEach(async () => {
  await desktop[Symbol.asyncDispose]();
  await engine.server.allClosed();
  await engine[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
  expect(faults.splice(0)).toEqual([]);
  expect(machines.watchers).toBe(0);
});

it('prepares its machine, telling the steps, and then does it once more in no time', async () => {
  machines.script = (_, operation) =>
    runStep({ step: 'boot', title: 'Starting the machine', operation }, async () => undefined);
  const steps: string[] = [];
  await desktop.prepare({ settings: { cpus: 3 } }, ({ step, state }) => void steps.push(`${step} ${state}`));
  expect(steps).toEqual(['boot running', 'boot done']);
  expect(await machines.inspect('mine')).toMatchObject({ state: 'running', settings: { cpus: 3 } });
  await desktop.prepare(undefined, ({ step }) => void steps.push(step));
  expect(steps).toHaveLength(2);
  const info = await desktop.services.app.info({}, AbortSignal.timeout(30_000));
  expect(info).toMatchObject({ version: '1.2.3', defaultMachine: 'mine', host: 'browser' });
});

it('loads hello from its archive into an engine that lacks it', async () => {
  await desktop.prepare();
  const { id } = await desktop.services.containers.runHello({ machine: 'mine' }, AbortSignal.timeout(30_000));
  expect(engine.state.container(id).body.Image).toBe('hello');
  expect(engine.requests.filter((line) => line.includes('/images/load'))).toHaveLength(1);
});
