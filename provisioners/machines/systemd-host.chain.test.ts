import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { systemdProgram } from '../../test/peers/booted-host.ts';
import { fetchPackages, fetchRoot, userCache } from '../../test/peers/debian-packages.ts';
import { sshdProgram } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import { HostOfUsers, operation, password } from '../../test/peers/host-of-users.ts';

const dockerdPackages = {
  name: 'dockerd-sid',
  packages: ['docker.io', 'containerd', 'tini-static'],
  proof: 'usr/sbin/dockerd',
};
const openrcPackages = {
  name: 'openrc-bookworm',
  suite: 'bookworm',
  packages: ['openrc', 'librc1', 'libeinfo1'],
  proof: 'sbin/openrc',
};
const needs = [
  ...(['linux', 'root', { program: sshdProgram }, { program: 'docker' }] as const),
  ...[{ program: 'crun' }, { program: 'apt-get' }],
] as const;
/** Ends at once when it is stopped, which `sleep` as a first process does not by TERM. */
const runOne = 'run -d --restart always --stop-signal KILL --name one hello sleep 600'.split(' ');

/** A newer Debian than most, bare: what the engine needs it installs by its own apt. Its systemd, sudo and sshd are the real ones. */
describeWith([...needs, { program: systemdProgram }, { program: 'mmdebstrap' }], 'a host with Debian 13', () => {
  let users: HostOfUsers;
  beforeAll(async () => {
    const root = fetchRoot({
      ...{ cacheFolder: userCache(), suite: 'trixie' },
      packages: ['systemd', 'openssh-server', 'sudo', 'busybox-static'],
      sources: ['crun', 'libnftables1', 'kmod'],
    });
    users = await HostOfUsers.start({ init: 'systemd', root });
  });
  afterAll(() => users[Symbol.asyncDispose]());

  it('gets what it lacks, and runs the engine, for a user whom sudo trusts, as a service which is there again after a crash and after a boot', async () => {
    const { host, machines } = users;
    const isActive = (): string => host.run('systemctl is-active skiffd.service || true').trim();
    expect(host.run('command -v crun || echo none')).toBe('none\n');
    await machines.create({ name: 'atboot', driver: 'generic', settings: users.settings('trusted') }, operation);
    expect(isActive()).toBe('active');
    expect(host.run('systemctl is-enabled skiffd.service')).toBe('enabled\n');
    expect(await users.docker('atboot', 'run', '--rm', 'hello')).toContain('Hello');
    await users.docker('atboot', ...runOne);

    const engine = host.run('cat /run/skiff/skiffd.pid');
    host.run(`kill -KILL ${engine}`);
    await vi.waitFor(() => expect(host.run('cat /run/skiff/skiffd.pid')).not.toBe(engine), {
      timeout: 60_000,
      interval: 200,
    });

    await host.reboot();
    await vi.waitFor(async () => expect(await users.docker('atboot', 'ps', '--format', '{{.Names}}')).toBe('one\n'), {
      timeout: 60_000,
      interval: 500,
    });
    expect(isActive()).toBe('active');

    await machines.remove('atboot', operation);
    expect(users.leftovers()).toBe('');
  });
});

/** This computer's own system, once more, below a systemd of its own. */
describeWith([...needs, { program: systemdProgram }], 'a host with systemd', () => {
  let users: HostOfUsers;
  beforeAll(async () => void (users = await HostOfUsers.start({ init: 'systemd' })));
  afterAll(() => users[Symbol.asyncDispose]());

  it('keeps its dockerd, and what that runs, through the whole life of a machine', async () => {
    const { host, machines } = users;
    const programs = fetchPackages({ cacheFolder: userCache(), ...dockerdPackages });
    const path = `${programs}/usr/sbin:${programs}/usr/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
    host.run(`systemd-run -q -u dockerd -p Delegate=yes -E PATH=${path} ${programs}/usr/sbin/dockerd`);
    await vi.waitFor(() => host.run('docker version'), { timeout: 60_000, interval: 200 });
    host.run(
      'cd /tmp && mkdir -p root/bin && cp "$(command -v busybox)" root/bin/ && tar -C root -c . | docker import - box',
    );
    host.run('docker run -d --name theirs -p 8099:80 box /bin/busybox httpd -f -p 80 -h /bin');
    const works = (): string =>
      host.run('docker ps --format {{.Names}}; curl -sf http://127.0.0.1:8099/busybox | wc -c');
    const before = works();
    expect(before).toMatch(/^theirs\n\d{5,}\n$/);

    await machines.create({ name: 'beside', driver: 'generic', settings: users.settings('trusted') }, operation);
    expect(works()).toBe(before);
    expect(await users.docker('beside', 'run', '--rm', 'hello')).toContain('Hello');
    expect(await users.docker('beside', 'ps', '--all', '--quiet')).toBe('');
    await users.docker('beside', ...runOne);
    const container = await users.docker('beside', 'inspect', '--format', '{{.State.Pid}}', 'one');

    const other = await users.otherComputer();
    const create = ['create', '--driver', 'generic', ...users.flags('trusted')];
    expect(await other.machine(...create, 'taken')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/another machine already \("beside"\).*--generic-adopt/) as string,
    });
    expect(await other.machine(...create, '--generic-adopt', 'taken')).toMatchObject({ exitCode: 0 });
    expect(works()).toBe(before);
    const inspect = ['inspect', '--format', '{{.State.Pid}}', 'one'];
    expect(await other.docker('taken', ...inspect)).toBe(container);
    // It lost its engine, and takes nothing of it away.
    await machines.remove('beside', operation);
    expect(await other.docker('taken', ...inspect)).toBe(container);
    expect(works()).toBe(before);
    expect(await other.machine('rm', '-f', 'taken')).toMatchObject({ exitCode: 0 });
    expect(users.leftovers()).toBe('');
    expect(works()).toBe(before);
    host.run('docker rm -f theirs; systemctl stop dockerd');
  });
});

/** A host as Alpine's are: busybox's init, and below it a real OpenRC; sudo is the real one, too. */
describeWith(needs, 'a host with OpenRC', () => {
  let users: HostOfUsers;
  beforeAll(async () => {
    const openrc = fetchPackages({ cacheFolder: userCache(), ...openrcPackages });
    users = await HostOfUsers.start({ init: 'openrc', extra: [openrc] });
  });
  afterAll(() => users[Symbol.asyncDispose]());
  const read = (file: string): string => users.host.run(`cat ${file} 2>/dev/null || true`).trim();
  const runsAtBoot = (): boolean => users.host.run('ls /etc/runlevels/default').includes('skiffd');
  const isStarted = (): boolean => users.host.run('rc-service skiffd status || true').includes('started');
  const names = (): Promise<string> =>
    users.docker('asked', 'ps', '--filter', 'status=running', '--format', '{{.Names}}');
  const within = { timeout: 60_000, interval: 200 };

  it('is made fit by a user whom sudo asks for a password, if that is given, and keeps the engine over crashes, stops and boots', async () => {
    const { host } = users;
    const asked = { name: 'asked', driver: 'generic', settings: users.settings('worker') };
    await expect(users.machines.create(asked, operation)).rejects.toThrow(/password/);
    const machines = users.machinesWith({ SKIFF_SUDO_PASSWORD: password });
    await machines.create({ ...asked, settings: { ...asked.settings, sudoPassword: password } }, operation);
    expect(await users.docker('asked', 'run', '--rm', 'hello')).toContain('Hello');
    await users.docker('asked', ...runOne);
    expect([isStarted(), runsAtBoot()]).toEqual([true, true]);

    const [engine, service] = [read('/run/skiff/skiffd.pid'), read('/var/lib/skiff/service/service.pid')];
    host.run(`kill -KILL ${service}`);
    await vi.waitFor(() => {
      expect(read('/var/lib/skiff/service/service.pid')).not.toBe(service);
      expect(read('/run/skiff/skiffd.pid')).not.toBe(engine);
    }, within);
    await vi.waitFor(async () => expect(await names()).toBe('one\n'), within);

    await machines.stop('asked', operation);
    expect([read('/run/skiff/skiffd.pid'), runsAtBoot()]).toEqual(['', false]);
    await machines.start('asked', operation);
    expect([isStarted(), runsAtBoot()]).toEqual([true, true]);
    await host.reboot();
    await vi.waitFor(async () => expect(await names()).toBe('one\n'), within);
  });

  it('goes back to its engine when a new one does not come up, and on to one that does, while containers run', async () => {
    const container = await users.docker('asked', 'inspect', '--format', '{{.State.Pid}}', 'one');
    const upgrade = async (change: (program: string) => string): Promise<unknown> => {
      const SKIFF_CACHE = await users.changedEngine(change);
      return users.machinesWith({ SKIFF_SUDO_PASSWORD: password, SKIFF_CACHE }).upgrade('asked', operation);
    };
    await expect(upgrade(() => 'throw new Error("a part is missing")')).rejects.toThrow(
      /did not come up: .*The earlier release runs again\.[^]*a part is missing/,
    );
    expect(await users.docker('asked', 'inspect', '--format', '{{.State.Pid}}', 'one')).toBe(container);
    const before = users.host.run('readlink /var/lib/skiff/deploy/current');
    await upgrade((program) => `${program}\n;"newer"`);
    expect(users.host.run('readlink /var/lib/skiff/deploy/current')).not.toBe(before);
    expect(await users.docker('asked', 'inspect', '--format', '{{.State.Pid}}', 'one')).toBe(container);
  });

  it('is left as it was', async () => {
    await users.machinesWith({ SKIFF_SUDO_PASSWORD: password }).remove('asked', operation);
    expect(users.leftovers()).toBe('');
    expect(users.host.run('rc-status -a 2>&1')).not.toContain('skiffd');
  });
});
