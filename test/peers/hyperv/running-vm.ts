import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { PlayedSystem } from '../played-system.ts';
import { rawToVhdx, vhdxToRaw } from './disk-cmdlets.ts';
import type { PlayedVm, VmState } from './host.ts';
import { PlayedHost } from './host.ts';

/**
 * One played machine that runs. It boots from its first disk when firmware is told to and finds a boot sector there, keeps what lies at
 * /var/lib/skiff on its data disk from one boot to the next, and has an address of its own, which this computer's neighbours show.
 */
class RunningVm {
  readonly #host: PlayedHost;
  readonly #id: string;
  readonly #folder: string;
  #system: PlayedSystem | null = null;
  #control: Server | null = null;

  constructor(host: PlayedHost, id: string) {
    this.#host = host;
    this.#id = id;
    this.#folder = join(this.#vm.path, 'guest');
  }

  get #dataDisk(): string {
    return join(this.#folder, 'data.raw');
  }

  get #vm(): PlayedVm {
    const vm = this.#host.find(this.#id);
    if (vm === null) throw new Error(`no machine ${this.#id}`);
    return vm;
  }

  async run(): Promise<void> {
    const path = this.#host.controlSocket(this.#id);
    rmSync(path, { force: true });
    const control = createServer({ allowHalfOpen: true }, (socket) => {
      socket.setEncoding('utf8').once('data', (verb: string) => {
        this.#obey(verb.trim());
        socket.end();
      });
    });
    await new Promise<void>((resolve) => control.listen(path, () => resolve()));
    this.#control = control;
    this.#become('Running');
    await this.#boot();
  }

  #obey(verb: string): void {
    const [what, size] = verb.split(' ');
    switch (what) {
      case 'stand-still':
        this.#system?.standStill();
        return this.#become('Paused');
      case 'save':
        this.#system?.standStill();
        return this.#become('Saved');
      case 'go-on':
      case 'restore':
        this.#system?.goOn();
        return this.#become('Running');
      case 'resized':
        return this.#grow(Number(size));
      case 'shut-down':
        return this.#powerOff();
      case 'end':
        return this.#end();
      default:
        throw new Error(`nobody tells a machine to ${verb}`);
    }
  }

  async #boot(): Promise<void> {
    const { disks, firstDisk, isSecureBoot, mac, switchName } = this.#vm;
    const [system, data, seed] = [0, 1, 2].map((wanted) => disks.find(({ place }) => place === wanted)?.path);
    if (system === undefined || data === undefined || seed === undefined || firstDisk !== 0 || isSecureBoot) return;
    mkdirSync(this.#folder, { recursive: true });
    for (const [path, raw] of [
      [system, 'system.raw'],
      [data, 'data.raw'],
      [seed, 'seed.raw'],
    ] as const)
      vhdxToRaw(path, join(this.#folder, raw));
    // A disk without a boot sector: firmware goes on to the network, for ever.
    if (readFileSync(join(this.#folder, 'system.raw')).readUInt16BE(510) !== 0x55aa || switchName === null) return;
    const address = this.#host.addressOf(mac, this.#lease(mac));
    this.#system = new PlayedSystem({
      folder: this.#folder,
      say: () => undefined,
      poweredOff: () => this.#powerOff(),
      listen: { host: address, port: this.#host.sshPort },
      dataDisk: this.#dataDisk,
      before: ['mount -t tmpfs none /sys/block && mkdir /sys/block/vdb'],
    });
    await this.#system.boot(join(this.#folder, 'seed.raw'));
    writeFileSync(
      this.#host.neighbourFile(this.#id),
      `  ${address}          ${mac.toLowerCase().replaceAll(/(..)(?=.)/g, '$1-')}     dynamisch\n`,
    );
  }

  #lease(mac: string): number {
    const file = this.#host.leaseFile(mac);
    const lease = existsSync(file) ? Number(readFileSync(file, 'utf8')) : Date.now();
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, String(lease));
    return lease;
  }

  #grow(sizeBytes: number): void {
    if (this.#system === null) return;
    truncateSync(this.#dataDisk, sizeBytes);
    writeFileSync(join(this.#system.root, 'sys/block/vdb/size'), `${sizeBytes / 512}\n`);
  }

  #powerOff(): void {
    const data = this.#vm.disks.find(({ place }) => place === 1)?.path;
    this.#system?.powerOff();
    if (this.#system !== null && data !== undefined) rawToVhdx(this.#dataDisk, data);
    this.#end();
  }

  #become(state: VmState): void {
    this.#host.put({ ...this.#vm, state, pid: process.pid });
  }

  #end(): void {
    this.#system?.end();
    this.#control?.close();
    rmSync(this.#host.neighbourFile(this.#id), { force: true });
    rmSync(this.#host.controlSocket(this.#id), { force: true });
    this.#host.put({ ...this.#vm, state: 'Off', pid: null });
    process.exit(0);
  }
}

const [home = '', id = '', sshPort] = process.argv.slice(2);
await new RunningVm(new PlayedHost(home, Number(sshPort)), id).run();
