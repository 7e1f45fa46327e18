import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { imageLayout } from '../deploy/machine-layout.ts';
import type { Driver, TaggedResource, TaggedRole } from '../drivers/driver.ts';
import { LocalDriver } from '../drivers/local/local-driver.ts';
import { KeptSecrets } from '../secrets/kept-secrets.ts';
import { readyDocument } from '../store/document.fixture.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { MachineStore } from '../store/machine-store.ts';
import { ownAgentProgram } from './agent-process.ts';
import { dockerContexts } from './docker-context.ts';
import { findLeftovers } from './leftovers.ts';
import type { MachinesContext } from './machines-context.ts';

/** A driver whose things lie in some cloud, which keeps them by owner and machine. */
class CloudDriver extends LocalDriver {
  override readonly name = 'cloud';
  readonly servers = new Map<string, { readonly owner: string; readonly machineId: string }>();
  isDown = false;
  readonly tagged: TaggedRole = {
    find: (owner) => {
      if (this.isDown) return Promise.reject(new Error('503 Service Unavailable'));
      const mine = [...this.servers].filter(([, server]) => server.owner === owner);
      return Promise.resolve(
        mine.map(([id, { machineId }]): TaggedResource => ({
          machineId,
          title: `server ${id}`,
          cost: '4 $ a month',
          remove: () => Promise.resolve(void this.servers.delete(id)),
        })),
      );
    },
  };
}

describe('what is left over', () => {
  let home: string;
  let store: MachineStore;
  let cloud: CloudDriver;
  let context: MachinesContext;
  beforeEach(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-left-'));
    store = new MachineStore(home);
    cloud = new CloudDriver();
    const notAsked = (): Promise<never> => Promise.reject(new Error('nothing is made here'));
    context = {
      home,
      store,
      drivers: new Map<string, Driver>([[cloud.name, cloud]]),
      contexts: dockerContexts({ DOCKER_CONFIG: join(home, 'docker') }),
      agent: ownAgentProgram(),
      layout: imageLayout,
      openImage: notAsked,
      cached: () => Promise.resolve([]),
      openRelease: notAsked,
      openRuntime: notAsked,
      secretsOf: () => Promise.resolve({}),
      keptSecrets: new KeptSecrets(null),
    };
  });
  afterEach(() => rm(home, { recursive: true, force: true }));

  async function add(name: string, id: string): Promise<void> {
    const machine = parseMachineName(name);
    await store.makeFolders(machine);
    await store.write(machine, readyDocument(name, { id, driver: cloud.name }));
  }
  const titles = async (): Promise<readonly string[]> => (await findLeftovers(context)).map(({ title }) => title);

  it('is nothing where every machine is known', async () => {
    await add('web', 'a'.repeat(32));
    cloud.servers.set('i-1', { owner: store.owner(), machineId: 'a'.repeat(32) });
    expect(await titles()).toEqual([]);
  });

  it('is what carries the tag of this installation and of no machine, with what it costs', async () => {
    cloud.servers.set('i-1', { owner: store.owner(), machineId: 'b'.repeat(32) });
    cloud.servers.set('i-2', { owner: 'another', machineId: 'c'.repeat(32) });
    const [left, ...others] = await findLeftovers(context);
    expect(others).toEqual([]);
    expect(left).toMatchObject({ title: 'server i-1 of a machine that is gone', cost: '4 $ a month' });
    await left?.remove();
    expect([...cloud.servers.keys()]).toEqual(['i-2']);
  });

  it('is not what may be of a machine whose document cannot be read', async () => {
    await add('web', 'a'.repeat(32));
    await writeFile(store.machine(parseMachineName('web')).document, '{ half');
    cloud.servers.set('i-1', { owner: store.owner(), machineId: 'a'.repeat(32) });
    expect(await titles()).toEqual([]);
  });

  it('cannot be told while a driver does not answer, which it says', async () => {
    expect(await titles()).toEqual([]);
    expect(await readdir(home), 'asking makes nothing').toEqual([]);
    expect(store.owner()).toMatch(/^[0-9a-f]{16}$/);
    cloud.isDown = true;
    await expect(findLeftovers(context)).rejects.toThrow(
      'This computer does not say what machines it has: 503 Service Unavailable',
    );
  });

  it('is the folder of a machine whose document is lost, but not of one that is just being made', async () => {
    const name = parseMachineName('web');
    await mkdir(store.machine(name).folder, { recursive: true });
    await writeFile(store.machine(name).dataDisk, Buffer.alloc(8192, 1));
    {
      await using _lock = await store.lock(name, 'create');
      expect(await titles()).toEqual([]);
    }
    const [left] = await findLeftovers(context);
    expect(left?.title).toBe('folder of machine "web", which nothing is known of');
    expect(left?.sizeBytes).toBeGreaterThanOrEqual(8192);
    await left?.remove();
    expect(await readdir(store.paths.machines)).toEqual([]);
  });

  it.each(['qemu-system-x86_64', 'vfkit', 'vmware-vmx'])(
    'is a %s that runs for a machine that is gone',
    async (argv0) => {
      await add('kept', 'a'.repeat(32));
      const start = (name: string): ReturnType<typeof spawn> => {
        const disk = join(store.machine(parseMachineName(name)).folder, 'disk');
        return spawn('/bin/sh', ['-c', 'read line', 'sh', disk], { argv0, stdio: ['pipe', 'ignore', 'ignore'] });
      };
      const [lost, kept] = [start('lost'), start('kept')];
      try {
        await Promise.all([lost, kept].map((child) => once(child, 'spawn')));
        const ended = once(lost, 'exit');
        const [left, ...others] = await findLeftovers(context);
        expect(others).toEqual([]);
        expect(left?.title).toBe(`process ${lost.pid} of machine "lost", which is gone`);
        await left?.remove();
        expect(await ended).toEqual([null, 'SIGKILL']);
        expect(await titles()).toEqual([]);
      } finally {
        for (const child of [lost, kept]) child.kill('SIGKILL');
      }
    },
  );

  it('has an installation that stays the same, and is another one’s elsewhere', async () => {
    expect(new MachineStore(home).owner()).toBe(store.owner());
    await using other = await mkdtempDisposable();
    expect(new MachineStore(other.path).owner()).not.toBe(store.owner());
  });
});

async function mkdtempDisposable(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'skiff-left-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}
