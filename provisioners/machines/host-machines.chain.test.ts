import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import type { Machines, MachineSettings } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { keyFingerprint, publicKeyBlob } from '../ssh/keys.ts';
import { openMachines } from './open-machines.ts';

const runProgram = promisify(execFile);
const operation: Operation = { report: () => undefined, signal: new AbortController().signal };
const password = 'a-password-that-must-not-be-written';

/** The engine on hosts that are not ours, brought there for real, below a folder of the test. */
describeWith(['linux', 'root', { program: sshdProgram }, { program: 'docker' }, { program: 'crun' }], 'a host', () => {
  let home: string;
  let root: string;
  let sshd: TestSshd;
  let machines: Machines;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-hosts-'));
    root = await mkdtemp(join(tmpdir(), 'skiff-hosts-root-'));
    sshd = await startSshd();
    await writeFile(join(sshd.folder, 'id_user'), sshd.identity.privateKey, { mode: 0o600 });
    const environment = { ...process.env, DOCKER_CONFIG: join(home, 'docker'), SKIFF_SUDO_PASSWORD: password };
    machines = openMachines({ home, environment });
  });
  afterAll(async () => {
    try {
      for (const { name } of await machines.list()) await machines.remove(name, operation);
    } finally {
      await sshd[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    }
    await rm(root, { recursive: true, force: true });
  });

  const docker = async (name: string, ...words: readonly string[]): Promise<string> => {
    const { dockerHost } = await machines.inspect(name);
    const { stdout } = await runProgram('docker', ['-H', dockerHost, ...words], { timeout: 60_000 });
    return stdout;
  };

  const kinds: readonly (readonly [string, () => MachineSettings])[] = [
    ['local', () => ({ prefix: root })],
    [
      'generic',
      () => ({
        ipAddress: '127.0.0.1',
        sshPort: sshd.port,
        sshUser: sshd.user,
        sshKey: join(sshd.folder, 'id_user'),
        hostKey: keyFingerprint(publicKeyBlob(sshd.hostKey.publicKey)),
        prefix: root,
      }),
    ],
  ];

  it.each(kinds)(
    'of the driver %s gets an engine, is stopped and started, and is left as it was',
    async (driver, of) => {
      const made = await machines.create({ name: driver, driver, settings: of() }, operation);
      expect(made).toMatchObject({ state: 'running', agent: { connection: 'ready' } });
      expect(await docker(driver, 'run', '--rm', 'hello')).toContain('Hello');
      await docker(driver, 'run', '-d', '--stop-signal', 'KILL', '--name', 'one', 'hello', 'sleep', '600');

      expect((await machines.stop(driver, operation)).state).toBe('stopped');
      await expect(docker(driver, 'ps')).rejects.toThrow();
      await machines.start(driver, operation);
      expect(await docker(driver, 'ps', '-a', '--format', '{{.Names}} {{.State}}')).toBe('one exited\n');
      await docker(driver, 'start', 'one');

      expect(await grepFiles(home, password)).toEqual([]);
      await machines.remove(driver, operation);
      expect(await machines.list()).toEqual([]);
      expect(await filesBelow(root)).toEqual([]);
      expect(existsSync(join(sshd.folder, '.ssh/authorized_keys'))).toBe(false);
    },
  );

  it('that is cut off in the middle goes on where it was, and two machines never share it', async () => {
    const ending = new AbortController();
    const cut: Operation = {
      signal: ending.signal,
      report: ({ step, state }) => {
        if (step === 'deploy-engine' && state === 'running') ending.abort(new Error('cut off'));
      },
    };
    const request = { name: 'again', driver: 'local', settings: { prefix: root } };
    await expect(machines.create(request, cut)).rejects.toThrow();
    expect((await machines.inspect('again')).state).toBe('create-failed');
    await machines.create(request, operation);
    await expect(machines.create({ ...request, name: 'other' }, operation)).rejects.toMatchObject({
      code: 'name-taken',
      message: expect.stringContaining('("again")'),
    });
    await machines.remove('again', operation);
    expect(await filesBelow(root)).toEqual([]);
  });
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
}

async function grepFiles(folder: string, text: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const found = await Promise.all(
    files.map(async (file) => ((await readFile(file, 'latin1')).includes(text) ? [file] : [])),
  );
  return found.flat();
}
