import { appendFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { PlayedSystem } from '../played-system.ts';
import type { PlayedMachine } from './command-line.ts';
import { readCommandLine, Refusal } from './command-line.ts';
import type { PlayedFaultKind } from './world.ts';
import { World } from './world.ts';

/**
 * A played vfkit 0.6, written from its doc/usage.md: one process that is one machine, told what to do over HTTP on its unix socket. Behind it
 * runs a real sshd, at an address that the played Mac's DHCP server gave.
 */
class PlayedVm {
  readonly #machine: PlayedMachine;
  readonly #world: World;
  readonly #fault: PlayedFaultKind | null;
  readonly #system: PlayedSystem;
  readonly #address: string;
  #state: 'Running' | 'Paused' = 'Running';

  constructor(options: {
    readonly machine: PlayedMachine;
    readonly world: World;
    readonly fault: PlayedFaultKind | null;
    readonly sshPort: number;
  }) {
    this.#machine = options.machine;
    this.#world = options.world;
    this.#fault = options.fault;
    this.#address = this.#world.lease(this.#machine.macAddress);
    const dataDisk = this.#machine.disks[1];
    this.#system = new PlayedSystem({
      folder: join(this.#world.home, `guest-${process.pid}`),
      say: (line) => this.#say(line),
      poweredOff: () => this.#leave(),
      listen: { host: this.#address, port: options.sshPort },
      ...(dataDisk === undefined ? {} : { dataDisk }),
    });
  }

  async run(): Promise<void> {
    if (this.#machine.serialLog !== null) writeFileSync(this.#machine.serialLog, '');
    const server = createServer((asked, answer) => void this.#answer(asked, answer));
    await new Promise<void>((resolve, reject) => {
      // A socket that is there already, whoever left it, is refused as by any server.
      server.once('error', reject);
      server.listen(this.#machine.controlSocket, () => resolve());
    });
    this.#world.enter(process.pid);
    // The guest shuts itself down.
    process.once('SIGUSR2', () => {
      this.#system.powerOff();
      this.#leave();
    });
    process.stderr.write('INFO[0000] virtual machine is running\n');
    if (this.#fault === 'dies') {
      process.stderr.write('FATA[0000] hypervisor virtualization error\n');
      this.#world.leave(process.pid);
      process.exit(1);
    }
    const seed = this.#machine.disks[2];
    if (seed === undefined || this.#fault === 'dark') return;
    this.#say(`skiff-boot: address ${this.#address}`);
    await this.#system.boot(seed);
  }

  #say(line: string): void {
    const { serialLog, commandLine } = this.#machine;
    const isHeard = /\bconsole=hvc0\b/.test(commandLine) && this.#fault !== 'silent-console';
    if (serialLog !== null && isHeard) appendFileSync(serialLog, `${line}\r\n`);
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    let text = '';
    for await (const part of asked.setEncoding('utf8')) text += String(part);
    const say = (status: number, body: unknown): void => {
      answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    if (asked.url !== '/vm/state') return say(404, {});
    if (asked.method === 'GET') return say(200, { state: `VirtualMachineState${this.#state}` });
    const { state: wish } = JSON.parse(text) as { state?: string };
    switch (wish) {
      case 'Pause':
        if (this.#state !== 'Running') return say(500, { error: transitionError });
        this.#system.standStill();
        this.#state = 'Paused';
        return void answer.writeHead(202).end();
      case 'Resume':
        if (this.#state !== 'Paused') return say(500, { error: transitionError });
        this.#system.goOn();
        this.#state = 'Running';
        return void answer.writeHead(202).end();
      case 'Stop':
        // A button that the guest's kernel does not know.
        return void answer.writeHead(202).end();
      case 'HardStop':
        this.#system.end();
        answer.writeHead(202).end(() => this.#leave());
        return;
      default:
        return say(500, { error: `invalid new VMState: ${wish ?? ''}` });
    }
  }

  #leave(): void {
    this.#world.leave(process.pid);
    process.exit(0);
  }
}

const transitionError =
  'Error Domain=VZErrorDomain Code=3 Description="Invalid virtual machine state transition. Transition from state does not apply."';

const refusals: Partial<Record<PlayedFaultKind, string>> = {
  'no-entitlement':
    'Error Domain=VZErrorDomain Code=2 Description="Invalid virtual machine configuration. The process doesn’t have the “com.apple.security.virtualization” entitlement."',
  'too-many':
    'Error Domain=VZErrorDomain Code=6 Description="The number of virtual machines exceeds the limit. The maximum supported number of active virtual machines has been reached."',
};

const [home = '', sshPort, ...words] = process.argv.slice(2);
try {
  const machine = readCommandLine(words);
  const world = new World(home);
  const fault = world.faults.take('start');
  const refusal = fault === null ? undefined : refusals[fault];
  if (refusal !== undefined) throw new Refusal(refusal);
  await new PlayedVm({ machine, world, fault, sshPort: Number(sshPort) }).run();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
