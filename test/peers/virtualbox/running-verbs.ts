import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startPlayedMachine } from '../played-command.ts';
import { known, withForwarding, withoutForwarding } from './machine-verbs.ts';
import type { PlayedVm, Register } from './register.ts';
import { Refusal, syntaxRefusal } from './refusal.ts';

/** Verbs about machines that run: each is a process of its own (headless.ts), told what to do over a socket. */

const startMs = 20_000;

export async function startVm(register: Register, [name, ...args]: readonly string[]): Promise<string> {
  if (args.length !== 2 || args[0] !== '--type' || args[1] !== 'headless')
    throw syntaxRefusal(`Invalid parameters: ${args.join(' ')}`);
  const vm = known(register, name);
  if (vm.state === 'running' || vm.state === 'paused') {
    throw new Refusal(
      `The machine '${vm.name}' is already locked by a session (or being locked or unlocked)`,
      'VBOX_E_INVALID_OBJECT_STATE',
    );
  }
  if (vm.state === 'saved') await tell(register, vm, 'restore');
  else {
    const words = [register.home, vm.uuid, register.system];
    startPlayedMachine(new URL('./headless.ts', import.meta.url), words, join(vm.folder, 'VBoxHeadless.log'));
    await becomes(register, vm, 'running');
  }
  return `Waiting for VM "${vm.name}" to power on...\nVM "${vm.name}" has been successfully started.\n`;
}

export async function controlVm(register: Register, [name, verb = '', ...args]: readonly string[]): Promise<string> {
  const vm = known(register, name);
  if (vm.state !== 'running' && vm.state !== 'paused')
    throw new Refusal(`Machine '${vm.name}' is not currently running`);
  const wrongState = (wanted: string): Refusal =>
    new Refusal(`Invalid machine state: ${vm.state} (must be ${wanted})`, 'VBOX_E_INVALID_VM_STATE');
  switch (verb) {
    case 'pause':
      if (vm.state !== 'running') throw wrongState('Running');
      break;
    case 'resume':
      if (vm.state !== 'paused') throw wrongState('Paused');
      break;
    case 'natpf1': {
      const next = args[0] === 'delete' ? withoutForwarding(vm, args[1] ?? '') : withForwarding(vm, args[0] ?? '');
      register.put(next);
      break;
    }
    case 'acpipowerbutton':
    case 'poweroff':
    case 'savestate':
      break;
    default:
      throw syntaxRefusal(`Invalid parameter '${verb}'`);
  }
  await tell(register, vm, verb);
  return '';
}

export async function discardState(register: Register, [name]: readonly string[]): Promise<string> {
  const vm = known(register, name);
  if (vm.state !== 'saved')
    throw new Refusal(
      `Cannot discard the machine state as the machine is not in the saved or aborted-saved state`,
      'VBOX_E_INVALID_VM_STATE',
    );
  await tell(register, vm, 'poweroff');
  return '';
}

/** Resolves when the machine's process has done it. */
function tell(register: Register, vm: PlayedVm, verb: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(register.controlSocket(vm.uuid), () => socket.end(`${verb}\n`));
    socket.setTimeout(startMs, () => socket.destroy(new Error(`the machine's process does not answer ${verb}`)));
    socket.resume();
    socket.once('error', reject);
    socket.once('close', () => resolve());
  });
}

async function becomes(register: Register, { uuid }: PlayedVm, state: PlayedVm['state']): Promise<void> {
  const deadline = performance.now() + startMs;
  while (register.find(uuid)?.state !== state) {
    if (performance.now() > deadline)
      throw new Refusal('The virtual machine has terminated unexpectedly during startup');
    await delay(20);
  }
}
