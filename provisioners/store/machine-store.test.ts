import { chmod, mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readIfThere, writeFileAtomic } from './atomic-file.ts';
import type { MachineDocument } from './machine-document.ts';
import { parseMachineName } from './machine-name.ts';
import { MachineStore } from './machine-store.ts';

let home: string;
let store: MachineStore;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'skiff-store-'));
  store = new MachineStore(home);
});
afterEach(() => rm(home, { recursive: true, force: true }));

const web = parseMachineName('web');

const documentOf = (name: string): MachineDocument => ({
  version: 2,
  id: '0123456789abcdef'.repeat(2),
  name,
  driver: 'qemu',
  createdAt: '2026-01-02T03:04:05Z',
  settings: { cpus: 1, memoryBytes: 2 ** 30, diskBytes: 2 ** 33 },
  lifecycle: { phase: 'ready' },
  driverMemory: {},
  facts: {},
  resources: [],
  engine: null,
  dockerContext: null,
});

async function add(text: string): Promise<void> {
  const name = parseMachineName(text);
  await store.makeFolders(name);
  await store.write(name, documentOf(text));
}

describe('the store of machines', () => {
  it('has none in a home that does not exist yet', async () => {
    expect(await new MachineStore(join(home, 'nowhere')).names()).toEqual([]);
  });

  it('lists names in natural order and takes nothing else in the folder for a machine', async () => {
    for (const name of ['web-10', 'web-2', 'Api', 'db']) await add(name);
    await mkdir(join(home, 'machines', '.hidden'));
    await writeFile(join(home, 'machines', 'stray'), '');
    expect(await store.names()).toEqual(['Api', 'db', 'web-2', 'web-10']);
  });

  it('keeps documents from other users', async () => {
    await add('web');
    const { folder, document } = store.machine(web);
    const modes = await Promise.all([folder, document].map(async (path) => (await stat(path)).mode & 0o777));
    expect(modes).toEqual([0o700, 0o600]);
  });

  it('reads back what was written, and null for what is not there', async () => {
    await add('web');
    expect(await store.read(web)).toEqual(documentOf('web'));
    expect(await store.read(parseMachineName('db'))).toBeNull();
  });

  it('refuses a folder that was copied under another name', async () => {
    await add('web');
    const copy = parseMachineName('copy');
    await store.makeFolders(copy);
    await store.write(copy, documentOf('web'));
    await expect(store.read(copy)).rejects.toThrow(/describes machine "web", not "copy"/);
  });

  it('removes all of a machine, also twice, also with sockets elsewhere', async () => {
    const deep = join(home, 'd'.repeat(100));
    await mkdir(deep);
    const deepStore = new MachineStore(deep);
    await deepStore.makeFolders(web);
    await deepStore.write(web, documentOf('web'));
    const { sockets, folder } = deepStore.machine(web);
    expect(sockets).not.toBe(folder);
    expect((await stat(sockets)).mode & 0o777).toBe(0o700);
    await deepStore.removeFolders(web);
    await deepStore.removeFolders(web);
    await expect(stat(sockets)).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await readdir(join(deep, 'machines'))).toEqual([]);
  });
});

describe('an atomic write', () => {
  it('replaces a file as a whole and leaves no temporary one', async () => {
    const path = join(home, 'file');
    await writeFileAtomic(path, 'old');
    await writeFileAtomic(path, 'new');
    expect(await readIfThere(path)).toBe('new');
    expect(await readdir(home)).toEqual(['file']);
  });

  it('keeps the old file when the new one cannot be written', async () => {
    await mkdir(join(home, 'folder'));
    const path = join(home, 'folder', 'file');
    await writeFileAtomic(path, 'old');
    await mkdir(join(home, 'folder', `.file.${process.pid}.new`));
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow();
    expect(await readIfThere(path)).toBe('old');
    await chmod(home, 0o700);
  });
});
