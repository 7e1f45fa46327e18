import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/**
 * What runs inside of a played machine: a real sshd with the keys that its seed disk holds. It ends with the process that plays the
 * machine, as a guest does, and has a /run of its own, as after a boot.
 */
export class PlayedSystem {
  readonly #folder: string;
  readonly #host: string;
  readonly #say: (line: string) => void;
  #port: number;
  #sshd: ChildProcess | null = null;

  constructor(options: {
    /** For its files; made when it boots. */
    readonly folder: string;
    /** Writes a line on the machine's console. */
    readonly say: (line: string) => void;
    /** Where its sshd listens; default: a free port of 127.0.0.1. */
    readonly listen?: { readonly host: string; readonly port: number };
  }) {
    this.#folder = options.folder;
    this.#say = options.say;
    this.#host = options.listen?.host ?? '127.0.0.1';
    this.#port = options.listen?.port ?? 0;
  }

  get port(): number {
    return this.#port;
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
    const script = `mount -t tmpfs none /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f '${config}'`;
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

  end(): void {
    this.#sshd?.kill('SIGKILL');
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
