import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmdirSync, mkdirSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import type { SshKeyPair } from '../../provisioners/ssh/keys.ts';
import { generateSshKeyPair } from '../../provisioners/ssh/keys.ts';
import { openFarNetwork } from './far-network.ts';
import { sshdListens, sshdProgram } from './sshd.ts';

/**
 * A whole Linux host, but for the kernel: a real init system is its first process, an sshd its only service, in namespaces of its
 * own, so that it can be shut down and booted. Its files are this computer's, or those of another root, below a layer that is thrown away;
 * of its own it has what a host keeps over a reboot: its services, /var/lib, and /home. Needs root, and systemd where that is to run.
 */
export interface BootedHost extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** Lets its users in. */
  readonly identity: SshKeyPair;
  readonly hostKey: SshKeyPair;
  /** Runs there, beside everything, and answers with what it said. Throws when it fails. */
  run(command: string): string;
  /** As if the plug were pulled and put back. */
  reboot(): Promise<void>;
}

export const systemdProgram = '/lib/systemd/systemd';
const port = 22;

export interface BootedHostOptions {
  /** OpenRC runs as Alpine has it, below busybox's init; its package is among `extra`. */
  readonly init: Init;
  /** Folder of another system, which is not written to (what is installed there is kept over a reboot); else this computer's own. */
  readonly root?: string;
  /** Root folders of programs that this computer has not, unpacked. */
  readonly extra?: readonly string[];
  /** Who can log in, and use sudo if that is among `extra`. */
  readonly users?: readonly HostUser[];
}

export interface HostUser {
  readonly name: string;
  readonly password: string;
  readonly sudo: 'asks' | 'trusts';
}

type Init = 'systemd' | 'openrc';

export async function startBootedHost(options: BootedHostOptions): Promise<BootedHost> {
  const folder = await mkdtemp(join(tmpdir(), 'skiff-booted-'));
  const [identity, hostKey] = [generateSshKeyPair('client'), generateSshKeyPair('server')];
  const network = openFarNetwork();
  const { folders, service } = inits[options.init];
  for (const name of [
    'root',
    'kept/state',
    'kept/homes',
    'kept/upper',
    'kept/work',
    ...folders.map((path) => `kept/${path}`),
  ])
    await mkdir(join(folder, name), { recursive: true });
  await writeFile(join(folder, 'host_key'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'authorized_keys'), `${identity.publicKey}\n`, { mode: 0o600 });
  await writeFile(join(folder, 'sshd_config'), sshdConfiguration);
  await writeFile(join(folder, 'kept', service.path), service.content, { mode: 0o755 });
  await writeFile(join(folder, 'boot'), bootScript({ folder, ...options }), { mode: 0o700 });
  const cgroups = ownCgroups();
  for (const cgroup of cgroups) mkdirSync(cgroup, { recursive: true });
  let child: ChildProcess | null = null;
  let first = 0;
  const boot = async (): Promise<void> => {
    const namespaces = ['unshare', '--mount', '--pid', '--uts', '--ipc', '--cgroup', '--fork'];
    const joining = cgroups.map((cgroup) => `echo $$ >${cgroup}/cgroup.procs`).join('; ');
    const inside = `${joining}; exec ${namespaces.join(' ')} ${folder}/boot`;
    child = spawn('nsenter', [`--net=${network.namespace}`, 'sh', '-c', inside], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (said += text));
    const ended = new Promise<never>((_, reject) =>
      child?.once('exit', () => reject(new Error(`no ${options.init}: ${said}`))),
    );
    ended.catch(() => undefined);
    await Promise.race([sshdListens({ host: network.host, port }), ended]);
    const pid = child.pid ?? 0;
    first = Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim());
  };
  const pull = async (): Promise<void> => {
    if (child === null) return;
    const ended = child.exitCode === null ? new Promise((resolve) => child?.once('exit', resolve)) : null;
    // With the first process of its namespace every other one ends.
    if (first > 0) process.kill(first, 'SIGKILL');
    else child.kill('SIGKILL');
    await ended;
    [child, first] = [null, 0];
  };
  const close = async (): Promise<void> => {
    await pull();
    for (const cgroup of cgroups) removeCgroups(cgroup);
    network[Symbol.dispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await boot();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    ...{ host: network.host, port, identity, hostKey },
    run: (command) =>
      execFileSync('nsenter', ['--target', String(first), '--all', 'sh', '-c', command], {
        encoding: 'utf8',
        timeout: 60_000,
      }),
    reboot: async () => {
      await pull();
      await boot();
    },
    [Symbol.asyncDispose]: close,
  };
}

function bootScript(of: BootedHostOptions & { readonly folder: string }): string {
  const { folder, extra = [], users = [], root } = of;
  const init = inits[of.init];
  // What lies below this computer's own root cannot be a layer above it.
  const above = root === undefined ? `${folder}/root` : `${folder}/kept`;
  return `#!/bin/sh
set -e
mount --make-rprivate /
mount -t tmpfs skiff-host ${folder}/root
mkdir -p ${above}/upper ${above}/work ${folder}/root/all
mount -t overlay skiff-host -o lowerdir=${root ?? '/'},upperdir=${above}/upper,workdir=${above}/work ${folder}/root/all
cd ${folder}/root/all
${extra.map((root) => `tar -C ${root} -c . | tar -x --keep-directory-symlink`).join('\n')}
mkdir -p var/lib home root run/sshd mnt proc sys dev tmp etc/init.d etc/host-test ${init.folders.join(' ')}
mount -t tmpfs tmpfs etc/init.d
${init.folders.map((path) => `mount --bind ${folder}/kept/${path} ${path}`).join('\n')}
${root === undefined ? '' : `[ -e ${folder}/kept/state/dpkg ] || cp -a var/lib/. ${folder}/kept/state`}
mount --bind ${folder}/kept/state var/lib
mount --bind ${folder}/kept/homes home
mount -t tmpfs tmpfs tmp
cp ${folder}/host_key ${folder}/authorized_keys ${folder}/sshd_config etc/host-test
${users.map(userScript).join('\n')}
: >etc/fstab
cat /proc/sys/kernel/random/uuid | tr -d - >etc/machine-id
grep -q '^sshd:' etc/passwd || echo 'sshd:x:105:65534::/run/sshd:/usr/sbin/nologin' >>etc/passwd
mount -t proc proc proc
mount -t sysfs sysfs sys
${cgroupMounts()
  .map(({ mount }) => mount)
  .join('\n')}
mount -t tmpfs tmpfs dev -o mode=755
for name in null zero full random urandom tty fuse; do [ -e /dev/$name ] && : >dev/$name && mount --bind /dev/$name dev/$name; done
mkdir dev/pts dev/shm
mount -t devpts devpts dev/pts -o newinstance,ptmxmode=0666,mode=620
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs tmpfs dev/shm
mount -t tmpfs tmpfs run -o mode=755
mkdir run/sshd
mkdir -p mnt/before
pivot_root . mnt/before
umount -l /mnt/before
hostname skiff-host
${init.prepare}
exec env -i container=skiff PATH=/usr/sbin:/usr/bin:/sbin:/bin ${init.program}
`;
}

/** A key that was added to a home stays in it, though the user may be made at every boot. */
function userScript({ name, password, sudo }: HostUser): string {
  return `if ! grep -q '^${name}:' etc/passwd; then
  chroot . useradd --shell /bin/sh ${name}
  echo '${name}:${password}' | chroot . chpasswd
  echo '${name} ALL=(ALL:ALL) ${sudo === 'trusts' ? 'NOPASSWD: ' : ''}ALL' >>etc/sudoers
fi
if [ ! -d home/${name} ]; then
  mkdir -p home/${name}/.ssh
  cp etc/host-test/authorized_keys home/${name}/.ssh/
  chown -R "$(sed -n 's/^${name}:[^:]*:\\([0-9]*:[0-9]*\\):.*/\\1/p' etc/passwd)" home/${name}
fi`;
}

const sshdConfiguration = `Port ${port}
HostKey /etc/host-test/host_key
PidFile none
UsePAM no
PermitRootLogin no
PasswordAuthentication no
StrictModes no
AllowStreamLocalForwarding yes
`;

const sshd = `${sshdProgram} -D -f /etc/host-test/sshd_config`;

interface InitSystem {
  /** Where its services are, and which are started: kept over a reboot. */
  readonly folders: readonly string[];
  readonly service: { readonly path: string; readonly content: string };
  readonly prepare: string;
  readonly program: string;
}

const inits: Readonly<Record<Init, InitSystem>> = {
  systemd: {
    folders: ['etc/systemd/system'],
    service: {
      path: 'etc/systemd/system/sshd-here.service',
      content: `[Service]
ExecStart=${sshd}
RuntimeDirectory=sshd
KillMode=process
[Install]
WantedBy=multi-user.target
`,
    },
    prepare: 'systemctl enable -q sshd-here.service >/dev/null 2>&1',
    // The word after it is for one of 256 or newer, which takes control groups of version 1 for a mistake unless it is told so.
    program: `${systemdProgram} --unit=multi-user.target SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1`,
  },
  openrc: {
    folders: [
      'etc/init.d',
      'etc/runlevels/sysinit',
      'etc/runlevels/boot',
      'etc/runlevels/default',
      'etc/runlevels/shutdown',
    ],
    service: {
      path: 'etc/init.d/sshd-here',
      content: `#!/sbin/openrc-run
supervisor=supervise-daemon
command=${sshd.replace(' ', '\ncommand_args="')}"
`,
    },
    prepare: `ln -sf /etc/init.d/sshd-here /etc/runlevels/default/
printf '%s\\n' '::sysinit:/sbin/openrc sysinit' '::sysinit:/sbin/openrc boot' '::wait:/sbin/openrc default' >/etc/inittab`,
    program: '/bin/busybox init',
  },
};

/** The hierarchies of control groups that this computer has, as it has them: one of version 2, or several of version 1 and that beside. */
function cgroupMounts(): readonly { readonly folder: string; readonly mount: string }[] {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([, folder = '', type = '', options = '']) =>
      /^cgroup2?$/.test(type) ? [{ folder, type, options }] : [],
    );
  const inside = 'sys/fs/cgroup';
  if (mounts.length === 1) return mounts.map(({ folder }) => ({ folder, mount: `mount -t cgroup2 cgroup2 ${inside}` }));
  return mounts.map(({ folder, type, options }, index) => {
    const at = `${inside}/${basename(folder)}`;
    const which = options.split(',').filter((word) => !['rw', 'relatime', 'nosuid', 'nodev', 'noexec'].includes(word));
    const chosen = which.some((word) => word.startsWith('name=')) ? ['none', ...which] : which;
    const how = type === 'cgroup2' ? `-t cgroup2 cgroup2 ${at}` : `-t cgroup -o ${chosen.join(',')} cgroup ${at}`;
    const ground = index === 0 ? `mount -t tmpfs tmpfs ${inside}; ` : '';
    return { folder, mount: `${ground}mkdir ${at}; mount ${how}` };
  });
}

/** One in each hierarchy but that of processors, where a group takes nobody in before it is told which. */
function ownCgroups(): readonly string[] {
  return cgroupMounts()
    .filter(({ folder }) => basename(folder) !== 'cpuset')
    .map(({ folder }) => join(folder, `skiff-booted-${process.pid}`));
}

function removeCgroups(folder: string): void {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) removeCgroups(join(folder, entry.name));
  rmdirSync(folder);
}
