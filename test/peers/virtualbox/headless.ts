import type { ChildProcess } from 'node:child_process';
import { execFileSync, spawn } from 'node:child_process';
import { appendFileSync, closeSync, mkdirSync, openSync, readSync, rmSync, writeFileSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import type { PlayedVm } from './register.ts';
import { Register } from './register.ts';

/**
 * One played machine that runs: a real sshd with the keys that the seed disk holds, behind the port that NAT forwards. It boots
 * only from a system disk with a boot sector, and stays dark otherwise, as firmware without a boot loader does. The memory of a saved
 * machine is this process itself, standing still.
 */
class PlayedGuest {
  readonly #register: Register;
  readonly #uuid: string;
  readonly #folder: string;
  readonly #sockets = new Set<Socket>();
  #sshd: ChildProcess | null = null;
  #sshdPort = 0;
  #nat: Server | null = null;

  constructor(register: Register, uuid: string) {
    this.#register = register;
    this.#uuid = uuid;
    this.#folder = join(this.#vm.folder, 'guest');
  }

  get #vm(): PlayedVm {
    const vm = this.#register.find(this.#uuid);
    if (vm === null) throw new Error(`no machine ${this.#uuid}`);
    return vm;
  }

  async run(): Promise<void> {
    rmSync(this.#register.controlSocket(this.#uuid), { force: true });
    const control = createServer({ allowHalfOpen: true }, (socket) => {
      socket.setEncoding('utf8').once('data', (verb: string) => {
        void this.#obey(verb.trim()).finally(() => socket.end());
      });
    });
    await listen(control, this.#register.controlSocket(this.#uuid));
    await this.#openNat();
    this.#become('running');
    await this.#boot();
  }

  async #obey(verb: string): Promise<void> {
    switch (verb) {
      case 'pause':
        this.#sshd?.kill('SIGSTOP');
        return this.#become('paused');
      case 'resume':
        this.#sshd?.kill('SIGCONT');
        return this.#become('running');
      case 'savestate':
        this.#sshd?.kill('SIGSTOP');
        this.#closeNat();
        return this.#become('saved');
      case 'restore':
        await this.#openNat();
        this.#sshd?.kill('SIGCONT');
        return this.#become('running');
      case 'natpf1':
        this.#closeNat();
        return await this.#openNat();
      case 'acpipowerbutton':
        // A guest that is not up hears no button.
        if (this.#sshd !== null) this.#end();
        return;
      case 'poweroff':
        return this.#end();
    }
  }

  async #boot(): Promise<void> {
    const vm = this.#vm;
    const [system, seed] = [vm.disks['disks-0-0'], vm.disks['disks-2-0']];
    const log = vm.settings['--uartmode1']?.replace(/^file /, '');
    const say = (line: string): void => {
      if (log !== undefined) appendFileSync(log, `${line}\r\n`);
    };
    if (system === undefined || seed === undefined || !hasBootSector(system)) {
      say('BdsDxe: No bootable option or device was found.');
      return;
    }
    say('skiff-boot: kernel-ready 0.40');
    mkdirSync(this.#folder, { recursive: true });
    execFileSync('tar', ['-xf', seed, '-C', this.#folder]);
    this.#sshdPort = await freePort();
    const config = join(this.#folder, 'sshd_config');
    writeFileSync(config, sshdConfig(this.#folder, this.#sshdPort));
    // A /run of its own, as after a boot; it ends with this process, as a guest does.
    const script = `mount -t tmpfs none /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f '${config}'`;
    this.#sshd = spawn('setpriv', ['--pdeathsig', 'KILL', 'unshare', '--mount', 'sh', '-c', script], {
      stdio: 'inherit',
    });
    say('skiff-boot: sshd-ready 0.90');
    say('skiff-boot: ready 1.00');
  }

  async #openNat(): Promise<void> {
    const rule = this.#vm.forwardings['ssh']?.split(',');
    if (rule === undefined) return;
    const server = createServer((client) => {
      // NAT takes every connection and closes it when nobody listens inside.
      const inner = connect({ host: '127.0.0.1', port: this.#sshdPort });
      for (const [one, other] of [
        [client, inner],
        [inner, client],
      ] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
    // VirtualBox only writes into its log when a port is taken.
    await new Promise<void>((resolve) => {
      server.once('error', () => resolve());
      server.listen(Number(rule[3]), rule[2], () => resolve());
    });
    this.#nat = server;
  }

  #closeNat(): void {
    this.#nat?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #become(state: PlayedVm['state']): void {
    this.#register.put({ ...this.#vm, state, pid: process.pid });
  }

  #end(): void {
    this.#sshd?.kill('SIGKILL');
    this.#closeNat();
    this.#register.put({ ...this.#vm, state: 'poweroff', pid: null });
    rmSync(this.#register.controlSocket(this.#uuid), { force: true });
    process.exit(0);
  }
}

function hasBootSector(disk: string): boolean {
  const file = openSync(disk, 'r');
  try {
    const sign = Buffer.alloc(2);
    readSync(file, sign, 0, 2, 510);
    return sign.readUInt16BE() === 0x55aa;
  } finally {
    closeSync(file);
  }
}

function sshdConfig(folder: string, port: number): string {
  return [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
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

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

const [home = '', uuid = ''] = process.argv.slice(2);
await new PlayedGuest(new Register(home), uuid).run();
