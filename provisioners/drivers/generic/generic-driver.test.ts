import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sshdProgram, startSshd } from '../../../test/peers/sshd.ts';
import type { TestSshd } from '../../../test/peers/sshd.ts';
import { describeWith } from '../../../test/skip.ts';
import type { MachineSettings } from '../../machines.ts';
import { generateSshKeyPair, keyFingerprint, publicKeyBlob } from '../../ssh/keys.ts';
import type { MadeMachine } from '../driver.fixture.ts';
import { makeDriverMachine, withMachine } from '../driver.fixture.ts';
import type { PeerUnderTest } from '../driver-under-test.ts';
import type { Driver, DriverRun } from '../driver.ts';
import { describeDriver } from '../driver.suite.ts';
import { readIfThere } from '../../store/atomic-file.ts';
import { GenericDriver } from './generic-driver.ts';

const run: DriverRun = { tell: () => undefined, signal: new AbortController().signal };
const needs = ['linux', 'root', { program: sshdProgram }] as const;

/** A host with nothing of Skiff, and a user's computer whose known_hosts and key lie in the host's own folder. */
async function makeHost(change: MachineSettings = {}): Promise<MadeMachine & { driver: Driver; sshd: TestSshd }> {
  const sshd = await startSshd();
  const key = join(sshd.folder, 'id_user');
  await writeFile(key, sshd.identity.privateKey, { mode: 0o600 });
  const environment = { HOME: sshd.folder, PATH: process.env['PATH'] };
  const made = await makeDriverMachine({
    open: () => new GenericDriver({ environment }),
    settings: {
      ipAddress: '127.0.0.1',
      sshUser: sshd.user,
      sshPort: sshd.port,
      sshKey: key,
      hostKey: fingerprintOf(sshd.hostKey.publicKey),
      prefix: join(sshd.folder, 'root'),
      ...change,
    },
  });
  return {
    ...made,
    sshd,
    async [Symbol.asyncDispose]() {
      await made[Symbol.asyncDispose]();
      await sshd[Symbol.asyncDispose]();
    },
  };
}

const fingerprintOf = (publicKey: string): string => keyFingerprint(publicKeyBlob(publicKey));

describeDriver({
  title: 'the driver for any SSH host',
  needs,
  open: async () => {
    const made = await makeHost();
    return {
      ...made,
      crash: null,
      shell: () => Promise.reject(new Error('nothing here asks for it')),
      powerOff: () => Promise.reject(new Error('nobody may power off a host that is not ours')),
      peer: peerOf(made.sshd),
    };
  },
});

/** The host as the suite makes trouble with it. */
function peerOf(sshd: TestSshd): PeerUnderTest {
  const authorizedKeys = join(sshd.folder, '.ssh/authorized_keys');
  return {
    left: async () => ((await readIfThere(authorizedKeys)) ?? '').split('\n').filter((line) => line.includes('skiff')),
    breakConnections: () => sshd.cut(),
    refusals: [
      {
        title: 'a key that is not let in',
        arrange: async (machine) => {
          const sshKey = join(sshd.folder, 'id_stranger');
          await writeFile(sshKey, generateSshKeyPair('stranger').privateKey, { mode: 0o600 });
          return withMachine(machine, { settings: { ...machine.settings, sshKey } });
        },
        code: 'login-refused',
        says: '--generic-ssh-key',
      },
    ],
  };
}

describeWith(needs, 'the first login to a host', () => {
  let host: Awaited<ReturnType<typeof makeHost>>;
  beforeEach(async () => {
    host = await makeHost();
  });
  afterEach(() => host[Symbol.asyncDispose]());

  const check = (change: MachineSettings): Promise<void> => {
    const settings = { ...host.driver.settings.resolve({ ...host.machine.settings, ...change }) };
    return host.driver.preCreateCheck({ ...host.machine, settings }, run);
  };
  const knownHosts = async (line: string): Promise<void> => {
    await mkdir(join(host.sshd.folder, '.ssh'), { recursive: true });
    await writeFile(join(host.sshd.folder, '.ssh', 'known_hosts'), `${line}\n`);
  };

  it('refuses a host that nobody knows, and says what its key is', async () => {
    const fingerprint = fingerprintOf(host.sshd.hostKey.publicKey);
    await expect(check({ hostKey: undefined })).rejects.toMatchObject({
      code: 'host-key',
      message: expect.stringContaining(`--generic-host-key ${fingerprint}`),
    });
  });

  it('takes any key when it is told to', async () => {
    await check({ hostKey: 'accept-new' });
  });

  it('refuses a key that is not the one that was named', async () => {
    await expect(check({ hostKey: 'SHA256:other' })).rejects.toMatchObject({ code: 'host-key' });
  });

  it('takes the key that the user knows it by, and never another one', async () => {
    const config = join(host.sshd.folder, 'config');
    await writeFile(config, `UserKnownHostsFile ${host.sshd.folder}/.ssh/known_hosts\n`);
    await knownHosts(`[127.0.0.1]:${host.sshd.port} ${host.sshd.hostKey.publicKey}`);
    host = await withConfig(host, config);
    await check({ hostKey: undefined });
    await knownHosts(`[127.0.0.1]:${host.sshd.port} ${generateSshKeyPair('other').publicKey}`);
    await expect(check({ hostKey: 'accept-new' })).rejects.toMatchObject({
      message: expect.stringContaining('Something else answers at that address'),
    });
  });

  it('says so when the key is not let in', async () => {
    const stranger = join(host.sshd.folder, 'id_stranger');
    await writeFile(stranger, generateSshKeyPair('stranger').privateKey, { mode: 0o600 });
    await expect(check({ sshKey: stranger })).rejects.toMatchObject({ code: 'login-refused' });
  });

  it.each([
    ['/nowhere/key', 'invalid-setting', 'there is no such file'],
    ['', 'invalid-setting', '--generic-ssh-key'],
  ])('says what is wrong with the key file %j', async (sshKey, code, says) => {
    await expect((async () => check({ sshKey }))()).rejects.toMatchObject({
      code,
      message: expect.stringContaining(says),
    });
  });

  it('refuses a host that is another machine’s, unless it is told to take it over', async () => {
    const folder = join(host.sshd.folder, 'root/var/lib/skiff');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'machine'), `${'b'.repeat(32)} elsewhere\n`);
    await expect(check({})).rejects.toMatchObject({
      code: 'name-taken',
      message: expect.stringContaining('another machine already ("elsewhere")'),
    });
    await check({ isAdopting: true });
  });

  it('adds one line to authorized_keys, keeps those of others, and takes it back', async () => {
    const file = join(host.sshd.folder, '.ssh/authorized_keys');
    await mkdir(join(host.sshd.folder, '.ssh'), { recursive: true });
    await writeFile(file, 'ssh-ed25519 AAAA somebody', { mode: 0o640 });
    await chmod(file, 0o640);
    await host.driver.create(host.machine, run);
    await host.driver.create(host.machine, run);
    const [, ours, end] = (await readFile(file, 'utf8')).split('\n');
    expect(ours).toMatch(new RegExp(`^ssh-ed25519 \\S+ skiff-machine-${host.machine.id}$`));
    expect(end).toBe('');
    expect(host.machine.resources.all.map(({ key, state }) => `${key} ${state}`)).toEqual([
      'engine asked',
      'login made',
    ]);
    await host.driver.remove(host.machine, run);
    expect(await readFile(file, 'utf8')).toBe('ssh-ed25519 AAAA somebody\n');
    expect(host.machine.resources.all).toEqual([]);
  });

  it('goes through a host on the way', async () => {
    const jump = await startSshd();
    try {
      const key = `[127.0.0.1]:${jump.port} ${jump.hostKey.publicKey}`;
      const config = join(host.sshd.folder, 'config');
      await writeFile(config, `UserKnownHostsFile ${host.sshd.folder}/.ssh/known_hosts\n`);
      await knownHosts(`${key}\n[127.0.0.1]:${host.sshd.port} ${host.sshd.hostKey.publicKey}`);
      await writeFile(join(host.sshd.folder, '.ssh', 'id_ed25519'), jump.identity.privateKey, { mode: 0o600 });
      host = await withConfig(host, config);
      await check({ hostKey: undefined, jumps: [`${jump.user}@127.0.0.1:${jump.port}`] });
      await knownHosts(key.replace(jump.hostKey.publicKey, generateSshKeyPair('other').publicKey));
      await expect(check({ jumps: [`${jump.user}@127.0.0.1:${jump.port}`] })).rejects.toThrow('host key');
    } finally {
      await jump[Symbol.asyncDispose]();
    }
  });

  it('says within a moment that a host cannot be reached', async () => {
    await host.driver.create(host.machine, run);
    await host.driver.start(host.machine, run);
    expect(await host.driver.state(host.machine)).toBe('running');
    const { sshd } = host;
    await host.driver.remove(host.machine, run);
    await host.driver.create(host.machine, run);
    await host.driver.start(host.machine, run);
    await sshd[Symbol.asyncDispose]();
    await expect(host.driver.state(host.machine)).rejects.toMatchObject({
      code: 'ssh-failed',
      message: expect.stringContaining('cannot be reached'),
    });
  });
});

/** The same host, seen by a user with that SSH configuration. */
async function withConfig(
  host: Awaited<ReturnType<typeof makeHost>>,
  config: string,
): Promise<Awaited<ReturnType<typeof makeHost>>> {
  const environment = { HOME: host.sshd.folder, PATH: process.env['PATH'], SKIFF_SSH_CONFIG: config };
  return { ...host, driver: new GenericDriver({ environment }) };
}
