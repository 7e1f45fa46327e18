import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { fetchPackages, userCache } from '../../test/peers/debian-packages.ts';
import { sshdProgram } from '../../test/peers/sshd.ts';
import type { SystemdHost } from '../../test/peers/systemd-host.ts';
import { startSystemdHost, systemdProgram } from '../../test/peers/systemd-host.ts';
import { describeWith } from '../../test/skip.ts';
import type { Machines, MachineSettings } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { keyFingerprint, publicKeyBlob } from '../ssh/keys.ts';
import { openMachines } from './open-machines.ts';

const runProgram = promisify(execFile);
const operation: Operation = { report: () => undefined, signal: new AbortController().signal };
const dockerdPackages = {
  name: 'dockerd-sid',
  packages: ['docker.io', 'containerd', 'tini-static'],
  proof: 'usr/sbin/dockerd',
};
const password = 'a-password-of-worker';
const needs = ['linux', 'root', { program: sshdProgram }, { program: systemdProgram }, { program: 'docker' }] as const;

/** A host whose first process is a real systemd, and whose sudo is the real one. */
describeWith([...needs, { program: 'crun' }, { program: 'apt-get' }], 'a host with systemd', () => {
  let home: string;
  let host: SystemdHost;
  let machines: Machines;

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), 'skiff-systemd-home-'));
    const sudo = { name: 'sudo-bookworm', suite: 'bookworm', packages: ['sudo'], proof: 'usr/bin/sudo' };
    host = await startSystemdHost({
      extra: [fetchPackages({ cacheFolder: userCache(), ...sudo })],
      users: [
        { name: 'worker', password, sudo: 'asks' },
        { name: 'trusted', password, sudo: 'trusts' },
      ],
    });
    await writeFile(join(home, 'id_user'), host.identity.privateKey, { mode: 0o600 });
    machines = machinesWith({});
  });
  afterAll(async () => {
    try {
      for (const { name } of await machines.list()) await machines.remove(name, operation);
    } finally {
      await host[Symbol.asyncDispose]();
      await rm(home, { recursive: true, force: true });
    }
  });

  const machinesWith = (more: Readonly<Record<string, string>>): Machines =>
    openMachines({ home, environment: { ...process.env, DOCKER_CONFIG: join(home, 'docker'), ...more } });
  const settings = (user: string): MachineSettings => ({
    ipAddress: host.host,
    sshPort: host.port,
    sshUser: user,
    sshKey: join(home, 'id_user'),
    hostKey: keyFingerprint(publicKeyBlob(host.hostKey.publicKey)),
  });
  const docker = async (name: string, ...words: readonly string[]): Promise<string> => {
    const { dockerHost } = await machines.inspect(name);
    return (await runProgram('docker', ['-H', dockerHost, ...words], { timeout: 60_000 })).stdout;
  };
  const leftovers = (): string =>
    host.run('ls -d /var/lib/skiff /run/skiff /var/log/skiffd.log /etc/systemd/system/*skiff* 2>/dev/null || true');
  const isActive = (): string => host.run('systemctl is-active skiffd.service || true').trim();

  it('runs the engine, for a user whom sudo trusts, as a service which is there again after a crash and after a boot', async () => {
    await machines.create({ name: 'atboot', driver: 'generic', settings: settings('trusted') }, operation);
    expect(isActive()).toBe('active');
    expect(host.run('systemctl is-enabled skiffd.service')).toBe('enabled\n');
    expect(await docker('atboot', 'run', '--rm', 'hello')).toContain('Hello');
    await docker('atboot', 'run', '-d', '--restart', 'always', '--name', 'one', 'hello', 'sleep', '600');

    const engine = host.run('cat /run/skiff/skiffd.pid');
    host.run(`kill -KILL ${engine}`);
    await vi.waitFor(() => expect(host.run('cat /run/skiff/skiffd.pid')).not.toBe(engine), { timeout: 30_000 });

    await host.reboot();
    await vi.waitFor(async () => expect(await docker('atboot', 'ps', '--format', '{{.Names}}')).toBe('one\n'), {
      timeout: 60_000,
      interval: 500,
    });
    expect(isActive()).toBe('active');

    await machines.remove('atboot', operation);
    expect(leftovers()).toBe('');
  });

  it('keeps its dockerd, and what that runs, through the whole life of a machine', async () => {
    const programs = fetchPackages({ cacheFolder: userCache(), ...dockerdPackages });
    const path = `${programs}/usr/sbin:${programs}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
    host.run(`systemd-run -q -u dockerd -p Delegate=yes -E PATH=${path} ${programs}/usr/sbin/dockerd`);
    await vi.waitFor(() => host.run('docker version'), { timeout: 30_000, interval: 200 });
    host.run(
      'cd /tmp && mkdir -p root/bin && cp "$(command -v busybox)" root/bin/ && tar -C root -c . | docker import - box',
    );
    host.run('docker run -d --name theirs -p 8099:80 box /bin/busybox httpd -f -p 80 -h /bin');
    const works = (): string =>
      host.run('docker ps --format {{.Names}}; curl -sf http://127.0.0.1:8099/busybox | wc -c');
    const before = works();
    expect(before).toMatch(/^theirs\n\d{5,}\n$/);

    await machines.create({ name: 'beside', driver: 'generic', settings: settings('trusted') }, operation);
    expect(works()).toBe(before);
    expect(await docker('beside', 'run', '--rm', 'hello')).toContain('Hello');
    expect(await docker('beside', 'ps', '--all', '--quiet')).toBe('');
    await machines.remove('beside', operation);
    expect(works()).toBe(before);
    host.run('docker rm -f theirs; systemctl stop dockerd');
  });

  it('is made fit by a user whom sudo asks for a password, if that is given', async () => {
    const asked = { name: 'asked', driver: 'generic', settings: settings('worker') };
    await expect(machines.create(asked, operation)).rejects.toThrow(/password/);
    const knowing = machinesWith({ SKIFF_SUDO_PASSWORD: password });
    await knowing.create({ ...asked, settings: { ...asked.settings, sudoPassword: password } }, operation);
    expect(await docker('asked', 'run', '--rm', 'hello')).toContain('Hello');
    await knowing.remove('asked', operation);
    expect(leftovers()).toBe('');
  });
});
