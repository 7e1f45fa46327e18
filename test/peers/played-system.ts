import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/**
 * What runs inside of a played machine: a real sshd with the keys that its seed disk holds. It ends with the process that plays the
 * machine, as a guest does, and has a /run and a /var/lib/skiff of its own, as after a boot.
 */
export class PlayedSystem {
  readonly #folder: string;
  readonly #host: string;
  readonly #before: readonly string[];
  readonly #say: (line: string) => void;
  readonly #dataDisk: string | null;
  #port: number;
  #sshd: ChildProcess | null = null;

  constructor(options: {
    /** For its files; made when it boots. */
    readonly folder: string;
    /** Writes a line on the machine's console. */
    readonly say: (line: string) => void;
    /** Where its sshd listens; default: a free port of 127.0.0.1. */
    readonly listen?: { readonly host: string; readonly port: number };
    /** Shell commands in its own mounts before its sshd begins. */
    readonly before?: readonly string[];
    /** Raw image that keeps /var/lib/skiff, as an archive at its beginning; default: nothing is kept. */
    readonly dataDisk?: string;
  }) {
    this.#folder = options.folder;
    this.#say = options.say;
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
    return `/proc/${this.#sshd?.pid ?? 0}/root`;
  }

  /** A guest that is not up hears no button. */
  get isUp(): boolean {
    return this.#sshd !== null;
  }

  /** Boots from the seed disk at `seed`, a tar archive. */
  async boot(seed: string): Promise<void> {
    this.#say('skiff-boot: kernel-ready 0.40');
    mkdirSync(this.#folder, { recursive: true });
    execFileSync('tar', ['-xf', seed, '-C', this.#folder]);
    if (this.#port === 0) this.#port = await freePort(this.#host);
    const config = join(this.#folder, 'sshd_config');
    writeFileSync(config, sshdConfig(this.#folder, { host: this.#host, port: this.#port }));
    const script = [
      'mount -t tmpfs none /run && mkdir /run/sshd',
      'mount -t tmpfs none /var/lib && mkdir /var/lib/skiff',
      ...(this.#dataDisk !== null && holdsArchive(this.#dataDisk)
        ? [`tar -xf '${this.#dataDisk}' -C /var/lib/skiff`]
        : []),
      ...this.#before,
      `exec /usr/sbin/sshd -D -e -f '${config}'`,
    ].join(' && ');
    this.#sshd = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--mount', 'sh', '-c', script], {
      stdio: 'inherit',
    });
    this.#say('skiff-boot: network 0.80');
    this.#say('skiff-boot: sshd 0.90');
    this.#say('skiff-boot: ready 1.00');
  }

  standStill(): void {
    this.#sshd?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#sshd?.kill('SIGCONT');
  }

  /** Its own shutdown: the data disk keeps what is in /var/lib/skiff. */
  powerOff(): void {
    const pid = this.#sshd?.pid;
    if (pid !== undefined && this.#dataDisk !== null) {
      const archive = execFileSync('tar', ['-C', `/proc/${pid}/root/var/lib/skiff`, '-cf', '-', '.']);
      const disk = openSync(this.#dataDisk, 'r+');
      writeSync(disk, archive, 0, archive.length, 0);
      closeSync(disk);
    }
    this.end();
  }

  /** As a power cut. */
  end(): void {
    this.#sshd?.kill('SIGKILL');
  }
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
    '',
  ].join('\n');
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, host, () => resolve()));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}
