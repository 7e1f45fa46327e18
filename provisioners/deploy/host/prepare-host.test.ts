import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PlayedDistribution } from '../../../test/peers/played-distribution.ts';
import { PlayedHost } from '../../../test/peers/played-distribution.ts';
import { describeWith } from '../../../test/skip.ts';
import { MachineError } from '../../machines.ts';
import type { HostFacts } from './host-facts.ts';
import { parseFacts, refuseWhatCannotWork } from './host-facts.ts';
import { hostNotes } from './host-notes.ts';
import { hostPlace } from './host-place.ts';
import { prepareHost } from './prepare-host.ts';

const signal = new AbortController().signal;
const machine = { id: 'a'.repeat(32), name: 'web' };

const program = (says: string): string => `#!/bin/sh\necho '${says}'\n`;
const crun = (version: string): Record<string, string> => ({ 'usr/bin/crun': program(`crun version ${version}`) });
const nftables = (folder: string): Record<string, string> => ({ [`${folder}/libnftables.so.1`]: '' });
const node = (version: string): Record<string, string> => ({ 'usr/bin/node': program(`v${version}`) });

/** Releases as they were recorded: os-release, and the versions that their repositories have. */
const distributions = {
  'Debian 12': {
    osRelease: 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
    ...{ manager: 'apt-get', init: 'systemd', libc: 'glibc' },
    packages: {
      crun: crun('1.8.1'),
      libnftables1: nftables('usr/lib/x86_64-linux-gnu'),
      kmod: { 'usr/sbin/modprobe': program('') },
    },
    lacks: ['modprobe'],
  },
  'Ubuntu 24.04': {
    osRelease: 'PRETTY_NAME="Ubuntu 24.04.2 LTS"\nID=ubuntu\nID_LIKE=debian\n',
    ...{ manager: 'apt-get', init: 'systemd', libc: 'glibc' },
    packages: { crun: crun('1.14.1'), libnftables1: nftables('usr/lib/x86_64-linux-gnu') },
  },
  'Ubuntu 22.04': {
    osRelease: 'PRETTY_NAME="Ubuntu 22.04.5 LTS"\nID=ubuntu\nID_LIKE=debian\n',
    ...{ manager: 'apt-get', init: 'systemd', libc: 'glibc' },
    packages: { crun: crun('0.17'), libnftables1: nftables('usr/lib/x86_64-linux-gnu') },
  },
  'Fedora 42': {
    osRelease: 'ID=fedora\nPRETTY_NAME="Fedora Linux 42 (Cloud Edition)"\n',
    ...{ manager: 'dnf', init: 'systemd', libc: 'glibc' },
    packages: { crun: crun('1.21'), nftables: nftables('usr/lib64'), tar: { 'usr/bin/tar': program('') } },
    lacks: ['tar'],
  },
  'Rocky 9': {
    osRelease: 'PRETTY_NAME="Rocky Linux 9.4 (Blue Onyx)"\nID="rocky"\nID_LIKE="rhel centos fedora"\n',
    ...{ manager: 'dnf', init: 'systemd', libc: 'glibc' },
    packages: { crun: crun('1.14.3'), nftables: nftables('usr/lib64') },
  },
  'Amazon Linux 2023': {
    osRelease: 'PRETTY_NAME="Amazon Linux 2023.6.20241212"\nID="amzn"\nID_LIKE="fedora"\n',
    ...{ manager: 'dnf', init: 'systemd', libc: 'glibc' },
    packages: { nftables: nftables('usr/lib64') },
  },
  'Alpine 3.23': {
    osRelease: 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.23"\n',
    ...{ manager: 'apk', init: 'openrc', libc: 'musl' },
    packages: { crun: crun('1.25.1'), 'so:libnftables.so.1': nftables('usr/lib'), 'nodejs=24.11.1': node('24.11.1') },
  },
  'Alpine 3.21': {
    osRelease: 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.21"\n',
    ...{ manager: 'apk', init: 'openrc', libc: 'musl' },
    packages: { crun: crun('1.18.2'), 'so:libnftables.so.1': nftables('usr/lib'), 'nodejs=22.15.1': node('22.15.1') },
  },
  Arch: {
    osRelease: 'PRETTY_NAME="Arch Linux"\nID=arch\n',
    ...{ manager: 'pacman', init: 'systemd', libc: 'glibc' },
    packages: { crun: crun('1.21'), nftables: nftables('usr/lib'), 'gcc-libs': { 'usr/lib/libstdc++.so.6': '' } },
    lacks: ['libstdc++.so.6'],
  },
  'openSUSE Leap 15.6': {
    osRelease: 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nPRETTY_NAME="openSUSE Leap 15.6"\n',
    ...{ manager: 'zypper', init: 'systemd', libc: 'glibc' },
    packages: { crun: crun('1.14'), libnftables1: nftables('usr/lib64'), gzip: { 'usr/bin/gunzip': program('') } },
    lacks: ['gunzip'],
  },
  'a system of its own': {
    osRelease: 'ID=own\nPRETTY_NAME="A system of its own"\n',
    ...{ manager: 'none', init: 'none', libc: 'glibc' },
    packages: {},
  },
} as const satisfies Readonly<Record<string, PlayedDistribution>>;

type Name = keyof typeof distributions;

const prepare = (host: PlayedHost): ReturnType<typeof prepareHost> =>
  prepareHost({
    ...{ line: host, userLine: host, place: hostPlace(), machine, takesOver: false, signal },
    tell: () => undefined,
  });

const textOf = (host: PlayedHost, path: string): string => readFileSync(join(host.root, path), 'utf8');
/** What was asked of the package manager, which is the first to be asked anything. */
const installs = (host: PlayedHost): string[] =>
  textOf(host, 'var/played/log')
    .split('\n')
    .filter((line) => /^(apt-get|dnf|apk|pacman|zypper) /.test(line));

describeWith(['linux', 'root', { file: '/bin/busybox' }, { file: '/bin/dash' }], 'making a host fit', () => {
  it.each<[Name, string[], string]>([
    [
      'Debian 12',
      ['update', 'install -y --no-install-recommends crun kmod libnftables1'],
      'etc/systemd/system/skiffd.service',
    ],
    [
      'Ubuntu 24.04',
      ['update', 'install -y --no-install-recommends crun libnftables1'],
      'etc/systemd/system/skiffd.service',
    ],
    [
      'Fedora 42',
      ['install -y --setopt=install_weak_deps=False crun tar nftables'],
      'etc/systemd/system/skiffd.service',
    ],
    ['Rocky 9', ['install -y --setopt=install_weak_deps=False crun nftables'], 'etc/systemd/system/skiffd.service'],
    ['Alpine 3.23', ['add --no-cache crun so:libnftables.so.1 nodejs>=24'], 'etc/init.d/skiffd'],
    ['Arch', ['-S --noconfirm --needed crun nftables gcc-libs'], 'etc/systemd/system/skiffd.service'],
    [
      'openSUSE Leap 15.6',
      ['--non-interactive install --no-recommends crun gzip libnftables1'],
      'etc/systemd/system/skiffd.service',
    ],
  ])(
    'on %s, installs what is missing and writes the service; again, it changes nothing',
    async (name, asked, service) => {
      using host = new PlayedHost(distributions[name]);
      const first = await prepare(host);
      expect(installs(host).map((line) => line.replace(/^\S+ (-q -o \S+ )?/, ''))).toEqual(asked);
      const before = textOf(host, service);
      expect(before).toContain('/var/lib/skiff/service/engine-service');
      expect(textOf(host, 'var/lib/skiff/machine')).toBe(`${machine.id} web\n`);
      expect(statSync(join(host.root, 'var/lib/skiff/service/engine-restart')).mode & 0o777).toBe(0o755);
      expect(first.facts.node).toEqual(name === 'Alpine 3.23' ? { path: '/usr/bin/node', version: '24.11.1' } : null);

      const again = await prepare(host);
      expect(again.facts).toEqual({ ...first.facts, owner: machine });
      expect(installs(host)).toHaveLength(asked.length);
      expect(textOf(host, service)).toBe(before);
    },
  );

  it.each<[Name, RegExp]>([
    [
      'Ubuntu 22.04',
      /^Ubuntu 22.04.5 LTS still lacks crun \(its crun is version 0\.17\).*Ubuntu 24\.04.*\/usr\/local\/bin\/crun$/,
    ],
    ['Amazon Linux 2023', /Amazon Linux 2023.*: Error: Unable to find a match: crun\n.*as \/usr\/local\/bin\/crun$/],
    ['Alpine 3.21', /on Alpine Linux v3\.21: ERROR: [^]*nodejs>=24[^]*Node 24 in Alpine 3\.23 and newer/],
    ['a system of its own', /no package manager that Skiff knows; install crun, libnftables\.so\.1 there/],
  ])('says what %s lacks, what its package manager said, and what to do', async (name, says) => {
    using host = new PlayedHost(distributions[name]);
    const error = await prepare(host).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(MachineError);
    expect(error).toMatchObject({ code: 'deploy-failed', message: expect.stringMatching(says) });
  });

  it('takes a crun that was put there by hand before an old one of the distribution', async () => {
    using host = new PlayedHost({ ...distributions['Ubuntu 22.04'], packages: distributions['Ubuntu 24.04'].packages });
    host.write('usr/bin/crun', program('crun version 0.17'));
    await host.check('chmod 0755 /usr/bin/crun', { signal });
    expect((await prepare(host)).facts.crunVersion).toBe('1.14.1');
    expect(installs(host).at(-1)).toContain(' crun');
  });

  it('is not taken in by the loader of musl on a host of glibc', async () => {
    using host = new PlayedHost(distributions['Debian 12']);
    host.write('lib/ld-musl-x86_64.so.1', '');
    expect((await prepare(host)).facts).toMatchObject({ libc: 'glibc', node: null });
  });
});

describe('facts of a host', () => {
  const answer =
    'system Linux\nkernel 5.14.0-427.el9.x86_64\nid "rocky"\nlike "rhel centos fedora"\ntitle "Rocky Linux 9.4"\nmanager dnf\nmanager yum\ninit systemd\ncrun 1.14.3';
  const facts = (more = ''): HostFacts => parseFacts(`${answer}${more}`);

  it('are read from what it answers', () => {
    expect(facts('\ndockerd yes\nowner 0123 web')).toMatchObject({
      ...{ title: 'Rocky Linux 9.4', distributions: ['rocky', 'rhel', 'centos', 'fedora'] },
      ...{ packageManager: 'dnf', init: 'systemd', libc: 'glibc', crunVersion: '1.14.3' },
      ...{ hasDockerd: true, owner: { id: '0123', name: 'web' } },
    });
  });

  it('refuse what is not Linux', () => {
    expect(() => parseFacts('system Darwin')).toThrow('The engine runs on Linux; that host is Darwin');
  });

  it.each([
    ['4.18.0-553.el8_10.x86_64', 'Rocky Linux 9.4 runs Linux 4.18.0-553.el8_10.x86_64; the engine needs 5.6 or newer'],
    ['5.4.0-190-generic', 'the engine needs 5.6 or newer'],
  ])('refuse Linux %s, before anything is changed there', (kernel, says) => {
    expect(() => refuseWhatCannotWork({ ...facts(), kernel })).toThrow(says);
  });

  it.each(['5.6', '5.10.0-28-amd64', '6.1.0', '10.0'])('take Linux %s', (kernel) => {
    expect(() => refuseWhatCannotWork({ ...facts(), kernel })).not.toThrow();
  });

  it('become notes for people, where something stands in the way', () => {
    expect(hostNotes(facts(), hostPlace())).toEqual({
      ...{ system: 'Rocky Linux 9.4', kernel: '5.14.0-427.el9.x86_64', 'started by': 'systemd' },
    });
    const hindered = facts('\ndockerd yes\nfirewall firewalld\nselinux enforced\nforwarding no');
    expect(hostNotes({ ...hindered, init: 'none' }, hostPlace())).toMatchObject({
      'started by': expect.stringContaining('neither systemd nor OpenRC'),
      docker: expect.stringContaining('DOCKER-USER'),
      firewall: expect.stringContaining('--zone=trusted'),
      selinux: expect.stringContaining('unconfined'),
      'published ports': expect.stringContaining('AllowTcpForwarding'),
    });
  });
});
