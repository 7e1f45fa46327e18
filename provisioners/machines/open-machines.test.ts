import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../../test/eventually.ts';
import type { Machines } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { readyDocument } from '../store/document.fixture.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { MachineStore } from '../store/machine-store.ts';
import { openMachines } from './open-machines.ts';

/** What can be asked of machines without any that runs; the rest is in test/chain. */
let home: string;
let store: MachineStore;
let machines: Machines;
const operation: Operation = { report: () => undefined, signal: new AbortController().signal };

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'skiff-machines-'));
  store = new MachineStore(home);
  machines = openMachines({ home, environment: { DOCKER_CONFIG: join(home, 'docker') } });
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function add(text: string, change: Partial<MachineDocument> = {}): Promise<void> {
  const name = parseMachineName(text);
  await store.makeFolders(name);
  const settings = { cpus: 1, memoryBytes: 2 ** 30, diskBytes: 2 ** 33 };
  await store.write(name, readyDocument(name, { settings, ...change }));
  await writeFile(store.machine(name).dataDisk, '');
}

describe('machines of this computer', () => {
  it('are none at first, and asking makes nothing', async () => {
    expect(await machines.list()).toEqual([]);
    expect(await readdir(home)).toEqual([]);
  });

  it('are shown with all that a client needs, a broken one as unknown beside them', async () => {
    await add('web-10');
    await add('web-2', { engine: { version: '0.1.0', digest: 'x' }, dockerContext: 'skiff-web-2' });
    await add('broken');
    await writeFile(store.machine(parseMachineName('broken')).document, '{ half');
    await add('strange', { driver: 'abacus' });
    const found = await machines.list();
    expect(found.map(({ name, state }) => `${name} ${state}`)).toEqual([
      'broken unknown',
      'strange unknown',
      'web-2 stopped',
      'web-10 stopped',
    ]);
    expect(found[0]?.error).toMatch(/machine\.json cannot be read: it is not JSON/);
    expect(found[1]?.error).toContain('no driver "abacus"');
    expect(found[2]).toMatchObject({
      driver: 'qemu',
      engineVersion: '0.1.0',
      dockerContext: 'skiff-web-2',
      dockerHost: `unix://${home}/machines/web-2/docker.sock`,
      ssh: null,
      agent: null,
      serialLogFile: join(home, 'machines/web-2/serial.log'),
    });
  });

  it.each(['inspect', 'start', 'stop', 'kill', 'remove', 'ip'] as const)(
    '%s says which machine there is not',
    async (verb) => {
      await expect(machines[verb]('nobody', operation)).rejects.toMatchObject({
        code: 'no-such-machine',
        message: expect.stringContaining('"nobody"'),
      });
    },
  );

  it.each(['inspect', 'create', 'remove'] as const)('%s refuses a name that is none', async (verb) => {
    const act =
      verb === 'create'
        ? machines.create({ name: '../x', settings: {} }, operation)
        : machines[verb]('../x', operation);
    await expect(act).rejects.toMatchObject({ code: 'invalid-name' });
  });

  it('refuses to make one that is there, or that differs in case only', async () => {
    await add('web');
    await expect(machines.create({ name: 'web', settings: {} }, operation)).rejects.toMatchObject({
      code: 'name-taken',
    });
    await expect(machines.create({ name: 'WEB', settings: {} }, operation)).rejects.toMatchObject({
      code: 'name-taken',
    });
    expect((await machines.list()).map(({ name }) => name)).toEqual(['web']);
  });

  it.each([
    ['a driver that there is not', { driver: 'abacus', settings: {} }, 'no-such-driver'],
    ['no processors', { settings: { cpus: 0 } }, 'invalid-setting'],
    ['more processors than this computer has', { settings: { cpus: 4096 } }, 'invalid-setting'],
    ['half a processor', { settings: { cpus: 1.5 } }, 'invalid-setting'],
    ['too little memory', { settings: { memoryBytes: 1024 } }, 'invalid-setting'],
    ['more memory than there is', { settings: { memoryBytes: 2 ** 50 } }, 'invalid-setting'],
    ['a tiny disk', { settings: { diskBytes: 1 } }, 'invalid-setting'],
  ])('refuses %s and leaves nothing', async (_what, request, code) => {
    await expect(machines.create({ name: 'web', ...request }, operation)).rejects.toMatchObject({
      code: expect.stringMatching(`${code}|driver-unavailable`),
    });
    expect(await machines.list()).toEqual([]);
  });

  it('says that a stopped machine is stopped, and has no address', async () => {
    await add('web');
    await expect(machines.stop('web', operation)).rejects.toMatchObject({ code: 'already-stopped' });
    await expect(machines.ip('web')).rejects.toMatchObject({ code: 'not-running' });
  });

  it('goes on with the removal of a machine whose document is broken, and leaves nothing', async () => {
    await add('web');
    await writeFile(store.machine(parseMachineName('web')).document, 'nonsense');
    await machines.remove('web', operation);
    expect(await readdir(join(home, 'machines'))).toEqual([]);
    expect(await readdir(join(home, 'locks'))).toEqual([]);
  });

  it('removes a machine of which only an empty folder is left', async () => {
    await mkdir(join(home, 'machines', 'web'), { recursive: true });
    await machines.remove('web', operation);
    expect(await readdir(join(home, 'machines'))).toEqual([]);
  });

  it('tells of changes that another makes, and of nothing once it is disposed', async () => {
    let calls = 0;
    const watching = machines.watch(() => calls++);
    await add('web');
    await eventually(() => calls).toBeGreaterThan(0);
    const before = calls;
    await writeFile(store.machine(parseMachineName('web')).agentState, '{}');
    await eventually(() => calls).toBeGreaterThan(before);
    watching[Symbol.dispose]();
    const after = calls;
    await add('db');
    await new Promise((resolve) => setImmediate(resolve));
    expect(calls).toBe(after);
  });

  it('know their drivers and why one cannot be used', async () => {
    const [qemu] = await machines.drivers();
    expect(qemu).toMatchObject({ name: 'qemu', title: 'QEMU' });
    expect(qemu?.unavailable === null || qemu?.unavailable.includes('install')).toBe(true);
  });
});
