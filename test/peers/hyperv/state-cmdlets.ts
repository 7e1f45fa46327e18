import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startPlayedMachine } from '../played-command.ts';
import type { Cmdlet } from './cmdlet.ts';
import type { PlayedHost, PlayedVm, VmState } from './host.ts';
import { vmOf } from './machine-cmdlets.ts';
import { bind } from './parameters.ts';
import { invalidState, Refusal } from './refusal.ts';
import { tell } from './tell.ts';

/** Cmdlets about machines that run: each is a process of its own (running-vm.ts), told what to do over a socket. */

const startMs = 30_000;

/** A cmdlet that has a machine go from one state to another. */
function change(from: VmState, verb: string): Cmdlet {
  return async (host, values) => {
    const vm = vmOf(host, bind(values, { VM: 'object' }));
    if (vm.state !== from) throw invalidState(vm.name);
    await tell(host, vm, verb);
    return [];
  };
}

export const stateCmdlets: Readonly<Record<string, Cmdlet>> = {
  'Suspend-VM': change('Running', 'stand-still'),
  'Resume-VM': change('Paused', 'go-on'),
  'Save-VM': change('Running', 'save'),
  'Remove-VMSavedState': change('Saved', 'end'),

  'Start-VM': async (host, values) => {
    const vm = vmOf(host, bind(values, { VM: 'object' }));
    if (vm.state === 'Running' || vm.state === 'Paused') throw invalidState(vm.name);
    if (vm.state === 'Saved') await tell(host, vm, 'restore');
    else await powerOn(host, vm);
    return [];
  },

  'Stop-VM': async (host, values) => {
    const given = bind(values, { VM: 'object', TurnOff: 'switch', Force: 'switch' });
    const vm = vmOf(host, given);
    if (!given.has('TurnOff')) throw new Refusal('InvalidState', 'The guest has no service that shuts it down.');
    if (vm.state === 'Saved') throw invalidState(vm.name);
    // It only warns of one that is off already.
    if (vm.state !== 'Off') await tell(host, vm, 'end');
    return [];
  },
};

async function powerOn(host: PlayedHost, vm: PlayedVm): Promise<void> {
  for (const { path, inode } of vm.disks) {
    if (!existsSync(path))
      throw new Refusal('ObjectNotFound', `The system cannot find the file '${path}'. (0x80070002)`);
    if (statSync(path).ino !== inode)
      throw new Refusal('AccessDenied', `Account does not have permission to open attachment '${path}'. (0x80070005)`);
  }
  mkdirSync(vm.path, { recursive: true });
  const words = [host.home, vm.id, String(host.sshPort)];
  startPlayedMachine(new URL('./running-vm.ts', import.meta.url), words, join(vm.path, 'vmwp.log'));
  const deadline = performance.now() + startMs;
  while (host.find(vm.id)?.state !== 'Running') {
    if (performance.now() > deadline) throw new Refusal('Unspecified', `'${vm.name}' failed to start.`);
    await delay(20);
  }
}
