import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import { QemuDriver } from '../drivers/qemu/qemu-driver.ts';
import { VirtualboxDriver } from '../drivers/virtualbox/virtualbox-driver.ts';
import type { CreateMachine, Machines } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { readableBytes } from '../settings/driver-settings.ts';
import { generateSshKeyPair, keyFingerprint, publicKeyBlob } from '../ssh/keys.ts';
import { openMachines } from './open-machines.ts';

/**
 * Every bad input gets one error that names the setting and what to do, before anything is made. The sentences stand here whole, for
 * they are what a person reads.
 */
const operation: Operation = { report: () => undefined, signal: new AbortController().signal };

let home: string;
let machines: Machines;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'skiff-bad-'));
  await writeProgram(join(home, 'bin'), 'qemu-system-x86_64', 'QEMU emulator version 7.2.0');
  const environment = { DOCKER_CONFIG: join(home, 'docker'), PATH: join(home, 'bin'), HOME: home };
  machines = openMachines({ home: join(home, 'skiff'), environment });
});
afterEach(() => rm(home, { recursive: true, force: true }));

async function writeProgram(folder: string, name: string, says: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), `#!/bin/sh\necho '${says}'\n`, { mode: 0o755 });
}

async function refusalOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    return error instanceof Error ? `${'code' in error ? String(error.code) : ''}: ${error.message}` : String(error);
  }
  throw new Error('it was not refused');
}

const most = readableBytes(totalmem());
type Row = readonly [what: string, request: CreateMachine, says: string];
const web = 'web';
const qemu = 'qemu';

describe('a machine is refused, and nothing of it made', () => {
  it.each<Row>([
    [
      'a name of 300 letters',
      { name: 'a'.repeat(300), settings: {} },
      `invalid-name: "${'a'.repeat(30)}…" cannot name a machine: it has 300 characters, at most 63 are allowed`,
    ],
    [
      'a name that leads elsewhere',
      { name: '../web', settings: {} },
      'invalid-name: "../web" cannot name a machine: it must begin with a letter or a digit',
    ],
    [
      'a driver that there is not',
      { name: web, driver: 'abacus', settings: {} },
      'no-such-driver: There is no driver "abacus"; there are: DRIVERS',
    ],
    [
      'a setting of another driver',
      { name: web, driver: 'local', settings: { cpus: 2 } },
      'invalid-setting: This driver has no setting "cpus"; it has: KEYS',
    ],
    [
      'too little memory',
      { name: web, driver: qemu, settings: { memoryBytes: 2 ** 20 } },
      `invalid-setting: Memory (--memory) must be 512 MiB to ${most}, not 1 MiB`,
    ],
    [
      'more memory than the computer has',
      { name: web, driver: qemu, settings: { memoryBytes: 2 ** 50 } },
      `invalid-setting: Memory (--memory) must be 512 MiB to ${most}, not 1024 TiB`,
    ],
    [
      'too small a disk',
      { name: web, driver: qemu, settings: { diskBytes: 2 ** 20 } },
      'invalid-setting: Disk (--disk) must be 2 GiB to 16 TiB, not 1 MiB',
    ],
    [
      'more processors than the computer has',
      { name: web, driver: qemu, settings: { cpus: 4096 } },
      `invalid-setting: Processors (--cpus) must be a whole number from 1 to ${availableParallelism()}, not 4096`,
    ],
    [
      'a host without an address',
      { name: web, driver: 'generic', settings: {} },
      'invalid-setting: Address is missing: give it with --generic-ip-address or as GENERIC_IP_ADDRESS',
    ],
    [
      'a port that is none',
      { name: web, driver: 'generic', settings: { ipAddress: '127.0.0.1', sshPort: 70_000 } },
      'invalid-setting: Port (--generic-ssh-port) must be a whole number from 1 to 65535, not 70000',
    ],
    [
      'a secret that is empty, without showing it',
      { name: web, driver: 'local', settings: { sudoPassword: '' } },
      'invalid-setting: Password for sudo (--sudo-password) must be a text that is not empty, not what was given',
    ],
    [
      'a key that is not there',
      { name: web, driver: 'generic', settings: { ipAddress: '127.0.0.1', sshPort: 1, sshKey: '/nowhere/key' } },
      'invalid-setting: The private key /nowhere/key (--generic-ssh-key) cannot be read: there is no such file',
    ],
  ])('for %s', async (_what, request, says) => {
    const drivers = await machines.drivers();
    const keys = drivers.find(({ name }) => name === request.driver)?.settings.map(({ key }) => key) ?? [];
    const whole = says.replace('DRIVERS', drivers.map(({ name }) => name).join(', ')).replace('KEYS', keys.join(', '));
    expect(await refusalOf(machines.create(request, operation))).toBe(whole);
    expect(await machines.list()).toEqual([]);
    expect((await readdir(home)).sort()).toEqual([
      'bin',
      ...((await readdir(home)).includes('skiff') ? ['skiff'] : []),
    ]);
  });
});

describe('a computer that cannot make machines says what it lacks', () => {
  const computer = (platform: NodeJS.Platform, folder: string) =>
    ({ platform, arch: 'x64', environment: { PATH: folder } }) as const;
  const qemuOn = (platform: NodeJS.Platform, folder: string): Promise<string | null> =>
    new QemuDriver({ memoryFile: '/nowhere/qemu.json', computer: computer(platform, folder) }).availability();

  it('QEMU', async () => {
    // The folders that installers use are looked at too, on every system: only a foreign one has none of them here.
    expect(await qemuOn('win32', '/nowhere')).toBe(
      'QEMU (qemu-system-x86_64.exe) is not installed. Install it with: winget install SoftwareFreedomConservancy.QEMU',
    );
    expect(await qemuOn('freebsd', '/nowhere')).toBe(
      'QEMU (qemu-system-x86_64) is not installed. Debian and Ubuntu: sudo apt-get install qemu-system-x86; ' +
        'Fedora: sudo dnf install qemu-system-x86-core; Arch: sudo pacman -S qemu-system-x86',
    );
  });

  it('a QEMU that is new enough', async () => {
    const folder = join(home, 'old');
    await writeProgram(folder, 'qemu-system-x86_64', 'QEMU emulator version 4.2.1 (Debian 1:4.2-3ubuntu6)');
    expect(await qemuOn('linux', folder)).toBe(
      `QEMU 4.2.1 (Debian 1:4.2-3ubuntu6) (${folder}/qemu-system-x86_64) is too old; Skiff needs 6.0 or newer. Upgrade it, or put a newer one first in PATH`,
    );
  });

  it('VirtualBox, a new one, and its kernel module', async () => {
    const said = (folder: string): Promise<string | null> =>
      new VirtualboxDriver({ computer: computer('linux', folder) }).availability();
    expect(await said('/nowhere')).toBe(
      'VirtualBox (VBoxManage) is not installed. Install it with: the package virtualbox (7.0 or newer) of your distribution or of virtualbox.org',
    );
    await writeProgram(join(home, 'six'), 'VBoxManage', '6.1.50r161033');
    expect(await said(join(home, 'six'))).toBe('VirtualBox 6.1.50 is too old; Skiff needs 7.0 or newer. Upgrade it');
    await writeProgram(
      join(home, 'seven'),
      'VBoxManage',
      'WARNING: The vboxdrv kernel module is not loaded.\n7.0.20r1',
    );
    expect(await said(join(home, 'seven'))).toBe(
      'VirtualBox cannot run machines: The vboxdrv kernel module is not loaded. Load its module with: sudo /sbin/vboxconfig',
    );
  });
});

describeWith(['linux', 'root', { program: sshdProgram }], 'a host is refused', () => {
  let sshd: TestSshd;
  beforeEach(async () => {
    sshd = await startSshd();
    await writeFile(join(home, 'id_user'), sshd.identity.privateKey, { mode: 0o600 });
    await writeFile(join(home, 'id_stranger'), generateSshKeyPair('stranger').privateKey, { mode: 0o600 });
    await writeFile(join(home, 'config'), `UserKnownHostsFile ${home}/known_hosts\n`);
    const environment = { HOME: home, PATH: process.env['PATH'], SKIFF_SSH_CONFIG: join(home, 'config') };
    machines = openMachines({ home: join(home, 'skiff'), environment });
  });
  afterEach(() => sshd[Symbol.asyncDispose]());

  const fingerprint = (publicKey: string): string => keyFingerprint(publicKeyBlob(publicKey));
  const make = (change: Record<string, string>): Promise<unknown> => {
    const { port: sshPort, user: sshUser } = sshd;
    const settings = {
      ipAddress: '127.0.0.1',
      sshPort,
      sshUser,
      sshKey: join(home, 'id_user'),
      prefix: home,
      ...change,
    };
    return machines.create({ name: web, driver: 'generic', settings }, operation);
  };

  it('for its key that nobody knows, that is not the one asked for, or that has changed', async () => {
    const where = `127.0.0.1:${sshd.port}`;
    const its = fingerprint(sshd.hostKey.publicKey);
    expect(await refusalOf(make({}))).toBe(
      `host-key: The host at ${where} is not known yet: its key is ${its}. If that is right, go on with --generic-host-key ${its}, or log in there once with ssh`,
    );
    expect(await refusalOf(make({ hostKey: 'SHA256:other' }))).toBe(
      `host-key: The host key of ${where} is ${its}, not SHA256:other as was asked for`,
    );
    const before = generateSshKeyPair('before').publicKey;
    await writeFile(join(home, 'known_hosts'), `[127.0.0.1]:${sshd.port} ${before}\n`);
    expect(await refusalOf(make({ hostKey: 'accept-new' }))).toBe(
      `host-key: The host key of ${where} is ${its}, but your known_hosts hold another for it (${fingerprint(before)}). ` +
        'Something else answers at that address; nothing was sent to it. If the host was made anew, take its old key out with `ssh-keygen -R`',
    );
    expect(await machines.list()).toEqual([]);
  });

  it('for a port at which nobody listens, at once', async () => {
    const { port } = sshd;
    await sshd[Symbol.asyncDispose]();
    expect(await refusalOf(make({ hostKey: 'accept-new' }))).toBe(
      `ssh-failed: SSH to 127.0.0.1:${port} failed: connect ECONNREFUSED 127.0.0.1:${port}. ` +
        'Are its address (--generic-ip-address) and port (--generic-ssh-port) right, and does its SSH server run?',
    );
    sshd = await startSshd();
  });

  it('for a key of ours that it does not let in', async () => {
    const hostKey = fingerprint(sshd.hostKey.publicKey);
    expect(await refusalOf(make({ hostKey, sshKey: join(home, 'id_stranger') }))).toBe(
      `login-refused: The host at 127.0.0.1:${sshd.port} refused the login: none of the keys, agents or passwords that were given is let in there. ` +
        'Give another key (--generic-ssh-key), user (--generic-ssh-user) or password (GENERIC_SSH_PASSWORD)',
    );
    expect(await machines.list()).toEqual([]);
  });
});
