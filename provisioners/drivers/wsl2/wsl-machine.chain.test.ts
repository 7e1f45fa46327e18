/** The machine image as WSL2 runs it: its files below a root, its own start in namespaces as WSL makes them, a kernel and a /dev that are there. */
import type { ChildProcess } from 'node:child_process';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it, vi } from 'vitest';
import { describeWith } from '../../../test/skip.ts';
import { cacheFolder } from '../../machine-image/cache.ts';
import { ensureMachineImage } from '../../machine-image/machine-image.ts';
import { writeRootArchive } from '../../machine-image/root-archive.ts';
import { makeDriverMachine } from '../driver.fixture.ts';
import { seedOf } from '../vm/guest-seed.ts';
import { Wsl2Driver } from './wsl2-driver.ts';

const runProgram = promisify(execFile);
const port = 2022;

describeWith(
  ['linux', 'root', { program: 'mmdebstrap' }, { program: 'ssh' }],
  "the machine image in WSL2's manner",
  () => {
    it('takes its seed and lets us in, with its own key', { timeout: 600_000 }, async () => {
      const signal = AbortSignal.timeout(550_000);
      const image = await ensureMachineImage(
        { arch: 'amd64', cacheDir: cacheFolder(), source: { kind: 'build' } },
        { report: () => undefined, signal },
      );
      await using made = await makeDriverMachine({ open: () => new Wsl2Driver(), settings: {} });
      const { machine } = made;
      const folder = await mkdtemp(join(tmpdir(), 'skiff-wsl-root-'));
      const inFolder = (name: string): string => join(folder, name);
      let distribution: ChildProcess | null = null;
      try {
        const root = inFolder('root');
        await writeRootArchive(image.systemDisk, inFolder('root.tar'), signal);
        await mkdir(root);
        await runProgram('tar', ['-xpf', inFolder('root.tar'), '-C', root], { signal });
        execFileSync('chroot', [root, '/usr/lib/skiff/wsl-seed'], { input: seedOf(machine, { mode: 'dhcp' }) });

        let said = '';
        distribution = startDistribution(root);
        distribution.stdout?.setEncoding('utf8').on('data', (text: string) => (said += text));
        distribution.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
        await vi
          .waitUntil(() => said.includes('Server listening on'), { timeout: 60_000 })
          .catch(() => expect(said).toBe('up'));
        expect(said).toContain('skiff-boot: sshd');
        // 22 may be another distribution's.
        expect(said.match(/Server listening on .*/g)).toEqual([`Server listening on 127.0.0.1 port ${port}.`]);
        await vi.waitUntil(() => said.includes('skiff-boot: engine'), { timeout: 60_000 });

        await writeFile(inFolder('identity'), machine.keys.identity.privateKey, { mode: 0o600 });
        await writeFile(inFolder('known_hosts'), `[127.0.0.1]:${port} ${machine.keys.host.publicKey}\n`);
        const inside = String(await innerProcess(distribution));
        const options = [`UserKnownHostsFile=${inFolder('known_hosts')}`, 'StrictHostKeyChecking=yes', 'BatchMode=yes'];
        const ssh = [
          'ssh',
          '-F',
          'none',
          '-i',
          inFolder('identity'),
          '-p',
          String(port),
          ...options.flatMap((option) => ['-o', option]),
        ];
        const command = 'cat /run/hostname && node --version && ls /run/docker.sock -l && /usr/lib/skiff/engine-stop';
        const { stdout } = await runProgram(
          'nsenter',
          ['--target', inside, '--net', ...ssh, 'root@127.0.0.1', command],
          { signal },
        );
        expect(stdout).toMatch(/^suite\nv24\.\d+\.\d+\n.*skiffd\.sock\n/);
      } finally {
        if (distribution !== null) {
          distribution.kill('SIGKILL');
          await once(distribution, 'close');
        }
        await rm(folder, { recursive: true, force: true });
      }
    });
  },
);

/** Its mounts, processes and network are its own, and end with it. */
function startDistribution(root: string): ChildProcess {
  const given = [
    'mount --make-rprivate /',
    'mount -t proc proc "$1/proc"',
    'mount -t sysfs sysfs "$1/sys"',
    'mount --rbind /sys/fs/cgroup "$1/sys/fs/cgroup"',
    'mount --rbind /dev "$1/dev"',
    'mount -t tmpfs -o noexec,mode=755 none "$1/run"',
    'mount -t tmpfs none "$1/tmp"',
    'ip link set lo up',
    `exec chroot "$1" /usr/lib/skiff/wsl-machine ${port}`,
  ].join(' && ');
  const namespaces = ['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child=KILL'];
  return spawn('unshare', [...namespaces, 'sh', '-c', given, 'sh', root], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function innerProcess({ pid = 0 }: ChildProcess): Promise<number> {
  return Number((await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0]);
}
