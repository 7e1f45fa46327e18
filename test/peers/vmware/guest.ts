import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PlayedSystem } from '../played-system.ts';
import type { EmulatedSystem } from '../virtualbox/emulated-system.ts';
import type { PlayedDescription } from './description.ts';
import { hasBootSector, readDescription } from './description.ts';
import type { PlayedState } from './world.ts';
import { World } from './world.ts';

/**
 * One played machine that runs (vmware-vmx): a real sshd behind the address that NAT gave it, or QEMU. It boots only from a system disk with
 * a boot sector, and stays dark otherwise, as firmware without a boot loader does.
 */
class PlayedGuest {
  readonly #world: World;
  readonly #vmx: string;
  /** `well`, or what goes wrong in it. */
  readonly #mood: string;
  readonly #description: PlayedDescription;
  readonly #system: PlayedSystem | EmulatedSystem;
  readonly #address: string;
  readonly #listen: { readonly host: string; readonly port: number };
  #memory: NodeJS.Timeout | undefined;

  constructor(
    world: World,
    { vmx, mood, emulated }: { readonly vmx: string; readonly mood: string; readonly emulated: EmulatedSystem | null },
  ) {
    this.#world = world;
    this.#vmx = vmx;
    this.#mood = mood;
    this.#description = readDescription(vmx);
    this.#address = world.lease(this.#description.macAddress);
    const listen = { host: this.#address, port: world.sshPort };
    this.#listen = listen;
    this.#system =
      emulated ??
      new PlayedSystem({
        folder: join(world.home, `guest-${process.pid}`),
        say: (line) => this.#say(line),
        poweredOff: () => this.#leave(),
        listen,
        dataDisk: this.#description.dataDisk,
      });
  }

  async run(): Promise<void> {
    process.on('SIGUSR1', () => this.#obey(this.#world.wish(this.#vmx)));
    // The guest shuts itself down.
    process.once('SIGUSR2', () => {
      if (this.#system instanceof PlayedSystem) this.#system.powerOff();
      this.#leave();
    });
    this.#become('running');
    // It goes on until it is told to end, also when nothing runs in it.
    setInterval(() => undefined, 60_000);
    if (this.#mood === 'dark' || !hasBootSector(this.#description.systemDisk))
      return this.#say('EFI: No compatible bootloader was found.');
    if (!(this.#system instanceof PlayedSystem)) return await this.#emulate(this.#system);
    this.#say(`skiff-boot: address ${this.#address}`);
    await this.#system.boot(this.#description.seed);
  }

  /** What QEMU's own network calls the guest is not where this computer reaches it. */
  async #emulate(system: EmulatedSystem): Promise<void> {
    const { systemDisk, dataDisk, seed, memoryMiB } = this.#description;
    const serialLog = join(this.#world.home, `${process.pid}.console`);
    await system.boot({
      disks: [systemDisk, dataDisk, seed],
      memoryMiB,
      serialLog,
      hardware: 'vmware',
      listen: this.#listen,
      ended: () => this.#leave(),
    });
    let told = 0;
    setInterval(() => {
      const lines = existsSync(serialLog) ? readFileSync(serialLog, 'latin1').split(/\r?\n/).slice(0, -1) : [];
      for (const line of lines.slice(told))
        this.#say(line.replace(/^skiff-boot: address .*/, `skiff-boot: address ${this.#address}`));
      told = lines.length;
    }, 100);
  }

  #obey(wish: string): void {
    switch (wish) {
      case 'pause':
        this.#system.standStill();
        return this.#become('paused');
      case 'unpause':
        this.#system.goOn();
        return this.#become('running');
      case 'suspend':
        this.#system.standStill();
        writeFileSync(join(dirname(this.#vmx), 'skiff.vmss'), '');
        appendFileSync(this.#vmx, 'checkpoint.vmState = "skiff.vmss"\n');
        // Memory that was thrown away is none any more.
        this.#memory = setInterval(() => {
          if (!existsSync(this.#vmx) || !readFileSync(this.#vmx, 'utf8').includes('skiff.vmss')) this.#leave();
        }, 100);
        return this.#become('suspended');
      case 'resume':
        clearInterval(this.#memory);
        rmSync(join(dirname(this.#vmx), 'skiff.vmss'), { force: true });
        writeFileSync(this.#vmx, readFileSync(this.#vmx, 'utf8').replace(/^checkpoint\.vmState.*\n/m, ''));
        this.#system.goOn();
        return this.#become('running');
      case 'stop':
        this.#system.end();
        return this.#leave();
    }
  }

  #say(line: string): void {
    const { serialLog } = this.#description;
    if (serialLog !== null && this.#mood !== 'silent-console') appendFileSync(serialLog, `${line}\r\n`);
  }

  #become(state: PlayedState): void {
    this.#world.put({ vmx: this.#vmx, pid: process.pid, state });
  }

  #leave(): void {
    this.#world.remove(this.#vmx);
    process.exit(0);
  }
}

const [home = '', vmx = '', mood = '', sshPort, system] = process.argv.slice(2);
const world = new World(home, { sshPort: Number(sshPort), system: system === 'qemu' ? 'qemu' : 'sshd' });
// Loaded where it is needed alone: it takes most of the time of a start.
const emulated =
  world.system === 'qemu'
    ? new (await import('../virtualbox/emulated-system.ts')).EmulatedSystem({
        qmpSocket: join(home, `${process.pid}.qmp`),
      })
    : null;
await new PlayedGuest(world, { vmx, mood, emulated }).run();
