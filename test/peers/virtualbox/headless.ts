import { appendFileSync, closeSync, openSync, readSync, rmSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import { PlayedSystem } from '../played-system.ts';
import type { EmulatedSystem } from './emulated-system.ts';
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
  readonly #sockets = new Set<Socket>();
  readonly #system: PlayedSystem | EmulatedSystem;
  #nat: Server | null = null;

  constructor(register: Register, uuid: string, emulated: EmulatedSystem | null) {
    this.#register = register;
    this.#uuid = uuid;
    const dataDisk = this.#vm.disks['disks-1-0'];
    this.#system =
      emulated ??
      new PlayedSystem({
        folder: join(this.#vm.folder, 'guest'),
        say: (line) => this.#say(line),
        poweredOff: () => this.#end(),
        ...(dataDisk === undefined ? {} : { dataDisk }),
      });
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
        this.#system.standStill();
        return this.#become('paused');
      case 'resume':
        this.#system.goOn();
        return this.#become('running');
      case 'savestate':
        this.#system.standStill();
        this.#closeNat();
        return this.#become('saved');
      case 'restore':
        await this.#openNat();
        this.#system.goOn();
        return this.#become('running');
      case 'natpf1':
        this.#closeNat();
        return await this.#openNat();
      case 'acpipowerbutton':
        // A guest that is not up hears no button.
        if (!(this.#system instanceof PlayedSystem)) return await this.#system.powerButton();
        if (!this.#system.isUp) return;
        this.#system.powerOff();
        return this.#end();
      case 'poweroff':
        return this.#end();
    }
  }

  async #boot(): Promise<void> {
    const vm = this.#vm;
    const [system, data, seed] = [vm.disks['disks-0-0'], vm.disks['disks-1-0'], vm.disks['disks-2-0']];
    if (system === undefined || data === undefined || seed === undefined || !hasBootSector(system)) {
      this.#say('BdsDxe: No bootable option or device was found.');
      return;
    }
    if (this.#system instanceof PlayedSystem) return await this.#system.boot(seed);
    await this.#system.boot({
      disks: [system, data, seed],
      memoryMiB: vm.settings['--memory'] ?? '',
      serialLog: this.#serialLog ?? '/dev/null',
      ended: () => this.#end(),
    });
  }

  #say(line: string): void {
    if (this.#serialLog !== undefined) appendFileSync(this.#serialLog, `${line}\r\n`);
  }

  get #serialLog(): string | undefined {
    return this.#vm.settings['--uartmode1']?.replace(/^file /, '');
  }

  async #openNat(): Promise<void> {
    const rule = this.#vm.forwardings['ssh']?.split(',');
    if (rule === undefined) return;
    const server = createServer((client) => {
      // NAT takes every connection and closes it when nobody listens inside.
      const inner = connect({ host: '127.0.0.1', port: this.#system.port });
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
    this.#system.end();
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

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve());
  });
}

const [home = '', uuid = '', system] = process.argv.slice(2);
const register = new Register(home, system === 'qemu' ? 'qemu' : 'sshd');
// Loaded where it is needed alone: it takes most of the time of a start.
const emulated =
  register.system === 'qemu'
    ? new (await import('./emulated-system.ts')).EmulatedSystem({ qmpSocket: join(home, `${uuid}.qmp`) })
    : null;
await new PlayedGuest(register, uuid, emulated).run();
