import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildElectron } from '../scripts/build-desktop.ts';
import { formatCoreSettings } from './core-settings.ts';
import { wantedMachine } from './life-rules.ts';

const built = resolve(import.meta.dirname, '../dist/electron');

/**
 * Stands in for the utility process around the bundled core: a parent port, and one page that asks what there is and then
 * has everything closed. Run by plain Node, so that what the bundle needs beside itself is really there.
 */
const program = `
import { EventEmitter } from 'node:events';
import { MessageChannel } from 'node:worker_threads';
process.parentPort = Object.assign(new EventEmitter(), { postMessage() {} });
await import(${JSON.stringify(join(built, 'core-process.mjs'))});
const { port1, port2 } = new MessageChannel();
const events = { message: (listen) => (data) => listen({ data, ports: [] }), close: (listen) => listen };
const port = {
  on: (name, listen) => port1.on(name, events[name](listen)),
  start: () => port1.start(),
  postMessage: (message) => port1.postMessage(message),
  close: () => port1.close(),
};
process.parentPort.emit('message', { data: { kind: 'serve', link: 1 }, ports: [port] });
port2.on('message', ({ output }) => {
  process.stdout.write(JSON.stringify(output));
  process.parentPort.emit('message', { data: { kind: 'close' }, ports: [] });
});
port2.postMessage({ type: 'call', id: 1, service: 'machines', method: 'drivers', input: {} });
`;

describe("the app's programs, bundled", () => {
  let home: string;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-bundles-'));
    await buildElectron();
  });
  afterAll(() => rm(home, { recursive: true }));

  it('has a core that starts, answers and ends', async () => {
    const settings = {
      version: '0.0.0-test',
      hasTray: false,
      machine: wantedMachine(['--no-machine']),
      provisioning: {},
    };
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '--eval', program, formatCoreSettings(settings)],
      { env: { ...process.env, SKIFF_HOME: home }, timeout: 50_000 },
    );
    expect(JSON.parse(stdout)).toMatchObject({
      drivers: expect.arrayContaining([expect.objectContaining({ name: 'qemu' })]),
    });
  });

  it('has a preload that needs Electron and nothing else, as a sandbox demands', async () => {
    const preload = await readFile(join(built, 'preload.cjs'), 'utf8');
    expect([...preload.matchAll(/require\("([^"]+)"\)/g)].map(([, name]) => name)).toEqual(['electron']);
    expect(preload).not.toContain('exposeInMainWorld');
  });

  it('names Electron in the main process alone', async () => {
    const core = await readFile(join(built, 'core-process.mjs'), 'utf8');
    expect(core).not.toMatch(/from "electron"/);
    expect(await readFile(join(built, 'main.mjs'), 'utf8')).toMatch(/from "electron"/);
  });
});
