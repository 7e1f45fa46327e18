import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { bundledAgent } from '../../test/chain/bundled-machines.ts';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import type { Machines, MachineSettings } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { KeptSecrets } from '../secrets/kept-secrets.ts';
import { keyFingerprint, publicKeyBlob } from '../ssh/keys.ts';
import { openMachines } from './open-machines.ts';

const runProgram = promisify(execFile);
/** Each must stand nowhere that anybody could read it. */
const marks = {
  GENERIC_SSH_PASSPHRASE: `marked-passphrase-${randomUUID()}`,
  GENERIC_SSH_PASSWORD: `marked-password-${randomUUID()}`,
  SKIFF_SUDO_PASSWORD: `marked-sudo-password-${randomUUID()}`,
};
/** All that operations told, and what processes showed a mark meanwhile. */
const told: string[] = [];
let doing = '';
const operation: Operation = {
  signal: new AbortController().signal,
  report(report) {
    told.push(JSON.stringify(report));
    // Bytes that go by are told a thousand times, and to look at all processes takes a computer with many some time.
    const before = doing;
    doing = [report.step, report.state, report.detail?.replaceAll(/[\d.]+/g, '')].join(' ');
    if (doing !== before) told.push(...markedProcesses());
  },
};

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
    const key = join(sshd.folder, 'id_user');
    await writeFile(key, sshd.identity.privateKey, { mode: 0o600 });
    await runProgram('ssh-keygen', ['-p', '-P', '', '-N', marks.GENERIC_SSH_PASSPHRASE, '-f', key], {
      timeout: 10_000,
    });
    // As a user gives them: every program that is started could inherit them.
    for (const [name, mark] of Object.entries(marks)) vi.stubEnv(name, mark);
    const environment = { ...process.env, DOCKER_CONFIG: join(home, 'docker') };
    machines = openMachines({ home, environment, hostAgent: bundledAgent() });
  });
  afterAll(async () => {
    try {
      for (const { name } of await machines.list()) await machines.remove(name, operation);
    } finally {
      await sshd[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    }
    await rm(root, { recursive: true, force: true });
    vi.unstubAllEnvs();
  });

  const docker = async (name: string, ...words: readonly string[]): Promise<string> => {
    const { dockerHost } = await machines.inspect(name);
    const { stdout } = await runProgram('docker', ['-H', dockerHost, ...words], { timeout: 60_000 });
    return stdout;
  };

  const kinds: readonly (readonly [string, () => MachineSettings])[] = [
    ['local', () => ({ prefix: root, sudoPassword: marks.SKIFF_SUDO_PASSWORD })],
    [
      'generic',
      () => ({
        ipAddress: '127.0.0.1',
        sshPort: sshd.port,
        sshUser: sshd.user,
        sshKey: join(sshd.folder, 'id_user'),
        sshPassphrase: marks.GENERIC_SSH_PASSPHRASE,
        sshPassword: marks.GENERIC_SSH_PASSWORD,
        sudoPassword: marks.SKIFF_SUDO_PASSWORD,
        hostKey: keyFingerprint(publicKeyBlob(sshd.hostKey.publicKey)),
        prefix: root,
      }),
    ],
  ];

  /** The old key is let in no more, and the agent, which logs in with the new one, comes back. */
  async function renewed(): Promise<void> {
    const { ssh } = await machines.inspect('generic');
    if (ssh === null) throw new Error('it does not run');
    const before = await readFile(ssh.identityFile, 'utf8');
    await machines.renewKeys('generic', operation);
    expect(await readFile(ssh.identityFile, 'utf8')).not.toBe(before);
    const ours = (await readFile(join(sshd.folder, '.ssh/authorized_keys'), 'utf8')).trim().split('\n');
    expect(ours).toEqual([expect.stringMatching(/^ssh-ed25519 \S+ skiff-machine-[0-9a-f]{32}$/)]);
    expect(ours[0]).toContain((await readFile(`${ssh.identityFile}.pub`, 'utf8')).split(' ')[1]);
    sshd.cut();
    expect(await docker('generic', 'ps', '--format', '{{.Names}}')).toBe('one\n');
  }

  /** By another path than its own: the host is this computer, and has the folder itself. */
  async function shared(): Promise<void> {
    await writeFile(join(home, 'note'), 'from here');
    await machines.share('generic', { add: [`${home}:/users/me`], remove: [] }, operation);
    await vi.waitFor(
      async () => {
        const script = 'cat /app/note && echo from there > /app/answer';
        expect(await docker('generic', 'run', '--rm', '-v', '/users/me:/app', 'hello', 'sh', '-c', script)).toBe(
          'from here',
        );
      },
      { timeout: 60_000, interval: 500 },
    );
    expect(await readFile(join(home, 'answer'), 'utf8')).toBe('from there\n');
  }

  it.each(kinds)(
    'of the driver %s gets an engine, is stopped and started, is left as it was, and shows nobody a secret',
    async (driver, of) => {
      const keepsSecrets = driver === 'generic';
      const made = await machines.create({ name: driver, driver, settings: of(), keepsSecrets }, operation);
      expect(made).toMatchObject({ state: 'running', agent: { connection: 'ready' } });
      expect(await docker(driver, 'run', '--rm', 'hello')).toContain('Hello');
      await docker(driver, 'run', '-d', '--stop-signal', 'KILL', '--name', 'one', 'hello', 'sleep', '600');

      expect((await machines.stop(driver, operation)).state).toBe('stopped');
      await expect(docker(driver, 'ps')).rejects.toThrow();
      await machines.start(driver, operation);
      expect(await docker(driver, 'ps', '-a', '--format', '{{.Names}} {{.State}}')).toBe('one exited\n');
      await docker(driver, 'start', 'one');

      await expect(machines.pause(driver, operation)).rejects.toMatchObject({
        code: 'not-supported',
        message: expect.stringMatching(`^Machine "${driver}" cannot be paused: its driver \\(.+\\) cannot do that$`),
      });
      // Two machines never share it.
      await expect(
        machines.create({ name: `other-${driver}`, driver, settings: of() }, operation),
      ).rejects.toMatchObject({ code: 'name-taken', message: expect.stringContaining(`("${driver}")`) });
      if (driver === 'generic') await renewed();
      if (driver === 'generic') await shared();
      told.push(JSON.stringify(await machines.inspect(driver)), ...markedProcesses());
      // What its user asked to keep, and no more of it than later operations need.
      const kept = keepsSecrets ? [join(home, 'machines', driver, 'secrets.json')] : [];
      expect(await markedFiles(home, root, sshd.folder)).toEqual(kept);
      const secrets = await new KeptSecrets(null).read({ secrets: join(home, 'machines', driver, 'secrets.json') });
      expect(secrets).toEqual(keepsSecrets ? { sudoPassword: marks.SKIFF_SUDO_PASSWORD } : {});
      await machines.remove(driver, operation);
      expect(told.filter(isMarked)).toEqual([]);
      expect(await markedFiles(home, root, sshd.folder)).toEqual([]);
      expect(await machines.list()).toEqual([]);
      expect(await filesBelow(root)).toEqual([]);
      expect(existsSync(join(sshd.folder, '.ssh/authorized_keys'))).toBe(false);
    },
  );
});

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
}

function isMarked(text: string): boolean {
  return Object.values(marks).some((mark) => text.includes(mark));
}

/** Files that hold a mark: whatever was written while machines were made and ran, but not what containers see of the system. */
async function markedFiles(...folders: readonly string[]): Promise<string[]> {
  const words = Object.values(marks).flatMap((mark) => ['-e', mark]);
  // An engine that runs takes files away meanwhile, of which grep says nothing (-s); its own answer is the list.
  const args = [...folders, '-xdev', '-type', 'f', '-exec', 'grep', '-lsF', ...words, '{}', '+'];
  const { stdout } = await runProgram('find', args, { timeout: 60_000 }).catch((error: unknown) => {
    const found = z.object({ stdout: z.string(), code: z.literal(1) }).safeParse(error);
    if (found.success) return found.data;
    throw error;
  });
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Command lines and variables of the processes that run now. This one is the user's own and has been given them, and so has the bundler that a
 * checkout builds engines with: it ends with this process, and no installed Skiff has it.
 */
function markedProcesses(): string[] {
  const others = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  return others.flatMap((pid) => {
    try {
      const shown = ['cmdline', 'environ'].map((file) => readFileSync(join('/proc', pid, file), 'latin1')).join('\0');
      return isMarked(shown) && !shown.includes('/bin/esbuild\0') ? [`process ${pid}: ${shown}`] : [];
    } catch {
      // It has ended, or is the kernel's.
      return [];
    }
  });
}
