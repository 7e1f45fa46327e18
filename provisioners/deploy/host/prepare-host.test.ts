import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { LocalLine } from '../../line/local-line.ts';
import type { CommandResult, Line, RunOptions } from '../../line/line.ts';
import type { HostFacts } from './host-facts.ts';
import { parseFacts } from './host-facts.ts';
import { installCommand } from './host-packages.ts';
import { hostPlace } from './host-place.ts';
import { prepareHost, refuseWhatCannotWork } from './prepare-host.ts';

const signal = new AbortController().signal;

/** What hosts of several distributions answer to the script of host-facts.ts, cut to what matters. */
const answers: Readonly<Record<string, string>> = {
  debian:
    'system Linux\nkernel 6.1.0-13-amd64\ntitle "Debian GNU/Linux 12 (bookworm)"\nid debian\nmanager apt-get\ninit systemd\nprogram tar\nprogram gunzip\nprogram sha256sum\nprogram setsid\nprogram modprobe\nprogram libnftables.so.1',
  ubuntu:
    'system Linux\nkernel 6.8.0-40-generic\ntitle "Ubuntu 24.04 LTS"\nid ubuntu\nlike debian\nmanager apt-get\ninit systemd\ndockerd yes\nprogram tar\nprogram gunzip',
  fedora:
    'system Linux\nkernel 6.11.4-301.fc41.x86_64\ntitle "Fedora Linux 41 (Cloud Edition)"\nid fedora\nmanager dnf\nmanager yum\ninit systemd\nprogram tar\nprogram gunzip',
  rocky:
    'system Linux\nkernel 5.14.0-427.el9.x86_64\ntitle "Rocky Linux 9.4"\nid "rocky"\nlike "rhel centos fedora"\nmanager dnf\nmanager yum\ninit systemd',
  alpine:
    'system Linux\nkernel 6.6.31-0-virt\ntitle "Alpine Linux v3.20"\nid alpine\nmanager apk\ninit openrc\nlibc musl',
  arch: 'system Linux\nkernel 6.9.3-arch1-1\ntitle "Arch Linux"\nid arch\nmanager pacman\ninit systemd',
  suse: 'system Linux\nkernel 6.4.0\ntitle "openSUSE Leap 15.6"\nid "opensuse-leap"\nlike "suse opensuse"\nmanager zypper\ninit systemd',
};

const factsOf = (name: string): HostFacts => parseFacts(answers[name] ?? '');

describe('facts of a host', () => {
  it.each([
    ['debian', 'Debian GNU/Linux 12 (bookworm)', ['debian'], 'systemd', 'glibc', false],
    ['ubuntu', 'Ubuntu 24.04 LTS', ['ubuntu', 'debian'], 'systemd', 'glibc', true],
    ['rocky', 'Rocky Linux 9.4', ['rocky', 'rhel', 'centos', 'fedora'], 'systemd', 'glibc', false],
    ['alpine', 'Alpine Linux v3.20', ['alpine'], 'openrc', 'musl', false],
  ] as const)('are read from %s', (name, title, distributions, init, libc, hasDockerd) => {
    expect(factsOf(name)).toMatchObject({ title, distributions, init, libc, hasDockerd, owner: null });
  });

  it('name the machine whose engine is there', () => {
    expect(parseFacts('system Linux\nowner 0123 web').owner).toEqual({ id: '0123', name: 'web' });
  });

  it('refuse what is not Linux', () => {
    expect(() => parseFacts('system Darwin')).toThrow('The engine runs on Linux; that host is Darwin');
  });
});

describe('a host that cannot carry the engine', () => {
  it.each([
    [factsOf('alpine'), 'Alpine Linux v3.20 has the C library musl'],
    [{ ...factsOf('debian'), kernel: '4.19.0-27-amd64' }, 'runs Linux 4.19.0-27-amd64; the engine needs 5.0 or newer'],
  ])('is refused before anything is changed there (%#)', (facts, says) => {
    expect(() => refuseWhatCannotWork(facts)).toThrow(says);
  });
});

describe('what a host lacks', () => {
  it.each([
    [
      'debian',
      /^DEBIAN_FRONTEND=noninteractive apt-get .*update && .*install -y --no-install-recommends crun gzip libnftables1$/,
    ],
    ['ubuntu', /DPkg::Lock::Timeout=300/],
    ['fedora', /^dnf install -y .*crun gzip nftables$/],
    ['rocky', /^dnf install -y/],
    ['alpine', /^apk add --no-cache crun gzip nftables$/],
    ['arch', /^pacman -Sy --noconfirm --needed crun gzip nftables$/],
    ['suse', /^zypper --non-interactive install --no-recommends crun gzip libnftables1$/],
  ])('is installed on %s by its own package manager', (name, command) => {
    expect(installCommand(factsOf(name), ['crun', 'gunzip', 'libnftables.so.1'])).toMatch(command);
  });

  it('cannot be installed without a package manager', () => {
    expect(installCommand({ packageManager: null }, ['crun'])).toBeNull();
  });
});

/** A line to a host whose package manager is played: it answers as `debian` does, with crun once that is installed. */
class PlayedLine extends LocalLine implements Line {
  readonly installed: string[] = [];
  installs = true;

  override async run(command: string, options: RunOptions): Promise<CommandResult> {
    const answer = (stdout: string, exitCode = 0): CommandResult => ({ stdout, stderr: '', exitCode, signal: null });
    if (command.includes('/etc/os-release'))
      return answer(`${answers['debian']}${this.installed.length > 0 ? '\nprogram crun' : ''}`);
    if (command.includes('apt-get')) {
      if (!this.installs) return { ...answer('', 100), stderr: 'E: Unable to locate package crun' };
      this.installed.push('crun');
      return answer('');
    }
    return super.run(command, options);
  }
}

describeWith(['linux'], 'making a host fit', () => {
  const prepare = async (line: Line, root: string): ReturnType<typeof prepareHost> =>
    prepareHost({
      line,
      userLine: line,
      place: hostPlace(root),
      machine: { id: 'a'.repeat(32), name: 'web' },
      takesOver: false,
      tell: () => undefined,
      signal,
    });

  it('installs what is missing, writes the service and says whose it is; again, it changes nothing', async () => {
    const root = await mkdtemp(join(tmpdir(), 'skiff-host-'));
    try {
      await using line = new PlayedLine();
      await prepare(line, root);
      const before = await readFile(join(root, 'var/lib/skiff/service/engine-service'), 'utf8');
      const { facts } = await prepare(line, root);
      expect(facts.title).toBe('Debian GNU/Linux 12 (bookworm)');
      expect(line.installed).toEqual(['crun']);
      expect(await readFile(join(root, 'var/lib/skiff/machine'), 'utf8')).toBe(`${'a'.repeat(32)} web\n`);
      expect(await readFile(join(root, 'var/lib/skiff/service/engine-service'), 'utf8')).toBe(before);
      expect((await stat(join(root, 'var/lib/skiff/service/engine-restart'))).mode & 0o777).toBe(0o755);
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });

  it('says what the package manager said when it cannot', async () => {
    const root = await mkdtemp(join(tmpdir(), 'skiff-host-'));
    try {
      await using line = new PlayedLine();
      line.installs = false;
      await expect(prepare(line, root)).rejects.toMatchObject({
        code: 'deploy-failed',
        message: expect.stringContaining('crun could not be installed on Debian GNU/Linux 12 (bookworm): E: Unable'),
      });
    } finally {
      await rm(root, { recursive: true, force: true });
    }
  });
});
