import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freeLocalPort } from '../../provisioners/drivers/vm/local-port.ts';

/**
 * What runs inside of a played machine: a real sshd with the keys that its seed disk holds, and the engine that is deployed through it, laid
 * out as in the machine image. It has files in memory, processes and (for its engine) a network of its own, and ends whole with the
 * process that plays the machine, as a guest does.
 */
export class PlayedSystem {
  readonly #folder: string;
  readonly #host: string;
  readonly #before: readonly string[];
  readonly #say: (line: string) => void;
  readonly #poweredOff: () => void;
  readonly #dataDisk: string | null;
  #port: number;
  #namespaces: ChildProcess | null = null;

  constructor(options: {
    /** For its files; made when it boots. */
    readonly folder: string;
    /** Writes a line on the machine's console. */
    readonly say: (line: string) => void;
    /** Called when it has shut itself down, told to over SSH. */
    readonly poweredOff: () => void;
    /** Where its sshd listens; default: a free port of 127.0.0.1. */
    readonly listen?: { readonly host: string; readonly port: number };
    /** Shell commands in its own mounts before its sshd begins. */
    readonly before?: readonly string[];
    /** Raw image that keeps /var/lib/skiff, as an archive at its beginning; default: nothing is kept. */
    readonly dataDisk?: string;
  }) {
    this.#folder = options.folder;
    this.#say = options.say;
    this.#poweredOff = options.poweredOff;
    this.#host = options.listen?.host ?? '127.0.0.1';
    this.#port = options.listen?.port ?? 0;
    this.#before = options.before ?? [];
    this.#dataDisk = options.dataDisk ?? null;
  }

  get port(): number {
    return this.#port;
  }

  /** Its root as this computer sees it; only while it is up. */
  get root(): string {
    return `/proc/${this.#namespaces?.pid ?? 0}/root`;
  }

  /** A guest that is not up hears no button. */
  get isUp(): boolean {
    return this.#namespaces !== null;
  }

  /** Boots from the seed disk at `seed`, a tar archive. */
  async boot(seed: string): Promise<void> {
    this.#say('skiff-boot: kernel-ready 0.40');
    mkdirSync(this.#folder, { recursive: true });
    execFileSync('tar', ['-xf', seed, '-C', this.#folder]);
    if (this.#port === 0) this.#port = await freeLocalPort(null);
    const config = join(this.#folder, 'sshd_config');
    writeFileSync(config, sshdConfig(this.#folder, { host: this.#host, port: this.#port }));
    const programs = join(this.#folder, 'programs');
    writePrograms(join(programs, 'skiff'), this.#dataDisk);
    const script = [
      'mount -t tmpfs none /run && mkdir /run/sshd /run/skiff',
      'mount -t tmpfs none /var/lib && mkdir /var/lib/skiff',
      'mount -t tmpfs none /var/log',
      `mount -t overlay none -o 'lowerdir=${programs}:/usr/lib' /usr/lib`,
      ...(this.#dataDisk !== null && holdsArchive(this.#dataDisk)
        ? [`tar -xf '${this.#dataDisk}' -C /var/lib/skiff`]
        : []),
      ...this.#before,
      '/usr/lib/skiff/engine-restart',
      `exec /usr/sbin/sshd -D -r -e -f '${config}'`,
    ].join(' && ');
    const own = ['unshare', '--mount', '--pid', '--fork', '--mount-proc', '--kill-child=KILL', 'sh', '-c', script];
    this.#namespaces = spawn('setpriv', ['--pdeathsig', 'KILL', ...own], { stdio: 'inherit' });
    this.#namespaces.once('exit', () => {
      this.#namespaces = null;
      this.#poweredOff();
    });
    this.#say('skiff-boot: network 0.80');
    this.#say('skiff-boot: sshd 0.90');
    this.#say('skiff-boot: ready 1.00');
  }

  standStill(): void {
    this.#signal('SIGSTOP');
  }

  goOn(): void {
    this.#signal('SIGCONT');
  }

  /** Its own shutdown: the data disk keeps what is in /var/lib/skiff. */
  powerOff(): void {
    const first = this.#first();
    if (first !== null)
      execFileSync('nsenter', ['--target', String(first), '--mount', '--pid', '/usr/lib/skiff/poweroff']);
    this.end();
  }

  /** As a power cut. */
  end(): void {
    this.#namespaces?.removeAllListeners('exit').kill('SIGKILL');
  }

  /** To its sshd. */
  #signal(name: NodeJS.Signals): void {
    const first = this.#first();
    if (first !== null) process.kill(first, name);
  }

  /** Pid here of the first process in it. */
  #first(): number | null {
    const pid = this.#namespaces?.pid;
    if (pid === undefined) return null;
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
    return first === undefined || first === '' ? null : Number(first);
  }
}

/** What the machine image has at /usr/lib/skiff, as far as a deployment and a shutdown call it. */
function writePrograms(folder: string, dataDisk: string | null): void {
  mkdirSync(join(folder, 'node/bin'), { recursive: true });
  const write = (name: string, ...lines: readonly string[]): void =>
    writeFileSync(join(folder, name), ['#!/bin/sh', ...lines, ''].join('\n'), { mode: 0o755 });
  write('node/bin/node', `exec '${process.execPath}' "$@"`);
  writeFileSync(join(folder, 'node/runtime.json'), JSON.stringify({ sourceSha256: 'a'.repeat(64) }));
  write(
    'engine-stop',
    'pid=$(cat /run/skiff/skiffd.pid 2>/dev/null) && kill -TERM "$pid" 2>/dev/null || exit 0',
    'while [ -d "/proc/$pid" ]; do sleep 0.02; done',
  );
  write(
    'engine-restart',
    '/usr/lib/skiff/engine-stop',
    'run=/var/lib/skiff/deploy/current/run',
    '[ -x "$run" ] || exit 0',
    `setsid unshare --net sh -c "ip link set lo up; exec $run" </dev/null >>/var/log/skiffd.log 2>&1 &`,
  );
  write(
    'poweroff',
    '/usr/lib/skiff/engine-stop',
    ...(dataDisk === null
      ? []
      : [`tar -C /var/lib/skiff -cf - . | dd 'of=${dataDisk}' conv=notrunc bs=1M 2>/dev/null`]),
    // Its first process: with it all others end.
    'kill -TERM 1',
  );
  // Its clock is this computer's.
  write('date', 'case " $* " in *" -s "*) exit 0 ;; esac', 'exec /bin/date "$@"');
}

function holdsArchive(disk: string): boolean {
  const file = openSync(disk, 'r');
  try {
    const magic = Buffer.alloc(5);
    readSync(file, magic, 0, magic.length, 257);
    return magic.toString('latin1') === 'ustar';
  } finally {
    closeSync(file);
  }
}

function sshdConfig(folder: string, { host, port }: { readonly host: string; readonly port: number }): string {
  return [
    `Port ${port}`,
    `ListenAddress ${host}`,
    `HostKey ${folder}/ssh_host_ed25519_key`,
    `AuthorizedKeysFile ${folder}/authorized_keys`,
    'PidFile none',
    'StrictModes no',
    'UsePAM no',
    'PermitRootLogin yes',
    'PasswordAuthentication no',
    // The user's shell must not run what the own .bashrc of who runs the tests says.
    `SetEnv HOME=${folder} PATH=/usr/lib/skiff:/usr/sbin:/usr/bin:/sbin:/bin`,
    '',
  ].join('\n');
}
