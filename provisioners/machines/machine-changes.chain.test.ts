import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { unixSocketDialer } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import { bundledAgent } from '../../test/chain/bundled-machines.ts';
import { learnAccelerators, tellAccelerators } from '../../test/chain/known-accelerators.ts';
import { describeWith } from '../../test/skip.ts';
import type { Machines } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { findVirtiofsd } from '../drivers/qemu/virtiofsd.ts';
import { thisComputer } from '../drivers/vm/find-program.ts';
import { openMachines } from './open-machines.ts';

const operation: Operation = { report: () => undefined, signal: new AbortController().signal };
const GiB = 2 ** 30;

const waiting = { timeout: 60_000, interval: 200 };
function notEmpty(content: string): string {
  expect(content).not.toBe('');
  return content;
}

/** What is done to machines that are made, on real ones; each test begins where the one before ended. */
describeWith(['linux', { program: 'qemu-system-x86_64' }, { program: 'mmdebstrap' }], 'a machine that is made', () => {
  let home: string;
  let machines: Machines;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-changes-'));
    await learnAccelerators(home);
    const environment = { ...process.env, DOCKER_CONFIG: join(home, 'docker') };
    machines = openMachines({ home, environment, hostAgent: bundledAgent() });
    await mkdir(join(home, 'shared'));
    // Where this computer has a virtiofsd, all that follows is done with a device in the machine.
    const sharesBy = (await findVirtiofsd(thisComputer()).then(
      () => true,
      () => false,
    ))
      ? 'virtiofs'
      : 'sftp';
    const settings = { memoryBytes: 0.75 * GiB, diskBytes: 4 * GiB, shares: [join(home, 'shared')], sharesBy };
    await machines.create({ name: 'one', driver: 'qemu', settings }, operation);
    await tellAccelerators(home);
    await engine('one', async (client) => {
      const { Id } = await client.containers.create(
        { Image: 'hello', Cmd: ['sleep', '6000'], StopSignal: 'KILL' },
        { name: 'kept' },
      );
      await client.containers.start(Id);
    });
  });
  afterAll(async () => {
    for (const { name } of await machines.list()) await machines.remove(name, operation);
    expect((await readdir(join(home, 'machines'))).filter((name) => !name.startsWith('.'))).toEqual([]);
    await rm(home, { recursive: true, force: true });
  });

  async function engine<T>(name: string, work: (client: EngineClient) => Promise<T>): Promise<T> {
    const { dockerSocket } = await machines.inspect(name);
    using client = new EngineClient(unixSocketDialer(dockerSocket), { timeoutMs: 30_000 });
    return await work(client);
  }
  async function said(name: string, command: string): Promise<string> {
    const output = new PassThrough();
    const streams = { stdin: null, stdout: output, stderr: output, terminal: null };
    await machines.run(name, { command, ...streams, signal: operation.signal });
    output.end();
    return await text(output);
  }
  const pidOfKept = (name: string): Promise<unknown> =>
    engine(name, async (client) => (await client.containers.inspect('kept')).State.Pid);

  it('gets a new SSH key, with which all that follows logs in', async () => {
    const { ssh } = await machines.inspect('one');
    const keyOf = async (): Promise<string> => await readFile(ssh?.identityFile ?? '', 'utf8');
    const before = await keyOf();
    await machines.renewKeys('one', operation);
    expect(await keyOf()).not.toBe(before);
    expect(await said('one', 'grep -c . /run/skiff/seed/authorized_keys')).toBe('1\n');
  });

  it('shares folders of this computer, and no others', async () => {
    await writeFile(join(home, 'shared', 'note'), 'from here');
    const large = randomBytes(3_000_001);
    await writeFile(join(home, 'shared', 'large'), large);
    const run = (folder: string): Promise<string> =>
      engine('one', async (client) => {
        const HostConfig = { Binds: [`${folder}:/app`], AutoRemove: false };
        const Cmd = ['sh', '-c', 'cat /app/large > /app/large-copy; cat /app/note > /app/copy'];
        const { Id } = await client.containers.create({ Image: 'hello', Cmd, HostConfig });
        await client.containers.start(Id);
        const copied = await vi.waitFor(() => readFile(join(folder, 'copy'), 'utf8').then(notEmpty), waiting);
        await client.containers.remove(Id, { force: true });
        return copied;
      });
    expect(await run(join(home, 'shared'))).toBe('from here');
    expect(large.equals(await readFile(join(home, 'shared', 'large-copy')))).toBe(true);
    const { settings, facts } = await machines.inspect('one');
    if (settings['sharesBy'] === 'virtiofs') {
      expect(facts['shared folders by']).toBe('virtiofs');
      expect(Number(await said('one', 'grep -c " virtiofs " /proc/mounts'))).toBe(1);
    }
    const denied = expect.stringContaining('is not shared with machine "one"');
    await expect(run(join(home, 'machines'))).rejects.toMatchObject({ message: denied });
    await machines.share('one', { add: [], remove: [join(home, 'shared')] }, operation);
    expect((await machines.inspect('one')).settings['shares']).toEqual(['none']);
    await vi.waitFor(() => expect(run(join(home, 'shared'))).rejects.toMatchObject({ message: denied }), waiting);
  });

  it('stands still and goes on, its containers with it', async () => {
    const before = await pidOfKept('one');
    expect((await machines.pause('one', operation)).state).toBe('paused');
    await expect(machines.pause('one', operation)).rejects.toMatchObject({ code: 'not-running' });
    await expect(machines.start('one', operation)).resolves.toMatchObject({ state: 'running' });
    await machines.pause('one', operation);
    expect(await machines.resume('one', operation)).toMatchObject({ state: 'running', agent: { connection: 'ready' } });
    expect(await pidOfKept('one')).toBe(before);
  });

  it('is suspended to disk and goes on, its containers with it and its clock right', async () => {
    const before = await pidOfKept('one');
    expect((await machines.suspend('one', operation)).state).toBe('suspended');
    expect(await machines.start('one', operation)).toMatchObject({ state: 'running', agent: { connection: 'ready' } });
    expect(await pidOfKept('one')).toBe(before);
    const asked = Date.now() / 1000;
    const clock = Number(await said('one', 'date -u +%s'));
    expect(clock).toBeGreaterThan(asked - 5);
    expect(clock).toBeLessThan(Date.now() / 1000 + 5);
  });

  it('takes other sizes, a larger disk and less memory at once', async () => {
    const { machine, waiting } = await machines.resize('one', { diskBytes: 5 * GiB, memoryBytes: GiB }, operation);
    expect(waiting).toEqual(['memoryBytes']);
    expect(machine.settings).toMatchObject({ diskBytes: 5 * GiB, memoryBytes: GiB });
    expect((await machines.resize('one', { memoryBytes: GiB / 2 }, operation)).waiting).toEqual([]);
    const inMachine = { stdin: null, terminal: null, signal: operation.signal };
    const memoryOf = async (): Promise<number> => {
      const said = new PassThrough();
      const command = "awk '/^MemTotal/ { print $2 }' /proc/meminfo";
      await machines.run('one', { ...inMachine, command, stdout: said, stderr: said });
      said.end();
      return Number(await text(said)) * 1024;
    };
    await vi.waitFor(async () => expect(await memoryOf()).toBeLessThan(GiB / 2), { timeout: 60_000, interval: 500 });
    await expect(machines.resize('one', { diskBytes: 4 * GiB }, operation)).rejects.toMatchObject({
      code: 'invalid-setting',
      message: expect.stringContaining('A disk only grows'),
    });
  });

  it('is copied with all that is in it, beside itself and through a file, and lets nobody of the copies in', async () => {
    await expect(machines.clone('one', 'two', operation)).rejects.toMatchObject({ code: 'already-running' });
    await machines.stop('one', operation);
    await machines.clone('one', 'two', operation);
    await expect(machines.clone('one', 'two', operation)).rejects.toMatchObject({ code: 'name-taken' });
    // A copy of the copy, which shows of both what is in them.
    const file = join(home, 'two.tar.zst');
    await machines.export('two', file, operation);
    expect((await stat(file)).size).toBeLessThan(200e6);
    await machines.remove('one', operation);

    await machines.import('three', file, operation);
    expect((await machines.inspect('three')).settings.diskBytes).toBe(5 * GiB);
    await machines.start('three', operation);
    const names = await engine('three', async (client) =>
      (await client.containers.list({ all: true })).flatMap((c) => c.Names),
    );
    expect(names).toEqual(['/kept']);
    // A clean stop leaves a clean file system: nothing to check at the next boot.
    const { serialLogFile } = await machines.inspect('three');
    expect(await readFile(serialLogFile ?? '', 'utf8')).not.toContain('data-check');
    await machines.stop('three', operation);
  });

  it('refuses what is no exported machine, and leaves nothing of it', async () => {
    const file = join(home, 'nothing.tar.zst');
    await writeFile(file, 'nothing');
    await expect(machines.import('four', file, operation)).rejects.toMatchObject({ code: 'image-corrupt' });
    await expect(machines.import('four', join(home, 'absent'), operation)).rejects.toMatchObject({
      code: 'invalid-setting',
    });
    expect((await machines.list()).map(({ name }) => name)).toEqual(['three', 'two']);
    expect((await readdir(join(home, 'machines'))).sort()).toEqual(['three', 'two']);
  });

  it('that is gone leaves a context, which is found and removed', async () => {
    await rm(join(home, 'machines', 'three'), { recursive: true });
    // The cache of who runs the tests may hold something of its own.
    const isGone = ({ title }: { readonly title: string }): boolean => title.endsWith('of a machine that is gone');
    const left = (await machines.leftovers()).filter(isGone);
    expect(left.map(({ title }) => title)).toEqual(['docker context "skiff-three" of a machine that is gone']);
    for (const { remove } of left) await remove();
    expect((await machines.leftovers()).filter(isGone)).toEqual([]);
  });
});
