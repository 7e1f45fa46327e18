import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import type { PlayedDistribution, PlayedWsl2Host } from './host.ts';

/**
 * A distribution whose system is the real one, in namespaces as WSL makes them: its files are the root, and a kernel, a /dev and control
 * groups are there already. Its loopback is reached as through WSL's forwarding of localhost.
 */
const rootOf = ({ folder }: PlayedDistribution): string => join(folder, 'root');
const innerFile = ({ folder }: PlayedDistribution): string => join(folder, 'inner.pid');

export function importSystem(distribution: PlayedDistribution, archive: string): void {
  mkdirSync(rootOf(distribution), { recursive: true });
  execFileSync('tar', ['-xpf', archive, '-C', rootOf(distribution)]);
}

/** A command in it, where it runs beside what runs there. */
export function runCommand(distribution: PlayedDistribution, command: readonly string[], input: Buffer): string {
  const enter =
    distribution.pid === null
      ? ['chroot', rootOf(distribution)]
      : [
          'nsenter',
          '--target',
          readFileSync(innerFile(distribution), 'utf8'),
          '--mount',
          '--pid',
          '--net',
          '--root',
          '--wd=/',
        ];
  const [program = '', ...args] = [...enter, ...command];
  return execFileSync(program, args, { encoding: 'utf8', input });
}

/** Until WSL ends it: this process is the machine's. */
export async function holdSystem(host: PlayedWsl2Host, distribution: PlayedDistribution, port: number): Promise<void> {
  const given = [
    'mount --make-rprivate /',
    'mount -t proc proc "$1/proc"',
    'mount -t sysfs sysfs "$1/sys"',
    'mount --rbind /sys/fs/cgroup "$1/sys/fs/cgroup"',
    'mount --rbind /dev "$1/dev"',
    'mount -t tmpfs -o noexec,mode=755 none "$1/run"',
    'mount -t tmpfs none "$1/tmp"',
    'ip link set lo up',
    'exec chroot "$1" /usr/lib/skiff/wsl-machine "$2"',
  ].join(' && ');
  const namespaces = ['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child=KILL'];
  // It ends with this process, however that ends.
  const script = ['unshare', ...namespaces, 'sh', '-c', given, 'sh', rootOf(distribution), String(port)];
  const system = spawn('setpriv', ['--pdeathsig', 'KILL', ...script], { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = Promise.race([once(process, 'SIGTERM'), once(system, 'exit')]);
  const inner = await innerProcess(system);
  writeFileSync(innerFile(distribution), inner);
  const relay = createServer((client) => {
    const inside = spawn('nsenter', ['--target', inner, '--net', 'busybox', 'nc', '127.0.0.1', String(port)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    client.on('error', () => inside.kill()).pipe(inside.stdin.on('error', () => client.destroy()));
    inside.stdout.pipe(client);
    client.on('close', () => inside.kill());
  });
  await new Promise<void>((resolve) => relay.listen(port, '127.0.0.1', () => resolve()));
  host.put({ ...distribution, pid: process.pid });
  await ended;
  system.kill('SIGKILL');
  host.put({ ...distribution, pid: null });
  // Connections that are open end with it.
  process.exit(0);
}

async function innerProcess({ pid = 0 }: ChildProcess): Promise<string> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const [inner] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    if (inner !== undefined && inner !== '') return inner;
    if (performance.now() > deadline) throw new Error('the distribution does not begin');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
