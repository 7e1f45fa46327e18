import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { PlayedCall, PlayedOutcome } from '../played-command.ts';
import { startPlayedMachine } from '../played-command.ts';
import { readDescription, readValues, Refusal } from './description.ts';
import type { PlayedFaultKind, PlayedState, PlayedVm, PlayedWish, World } from './world.ts';

/**
 * A played vmrun 1.17, written from "Using the vmrun Command": what it refuses, it says on its standard output and ends with 255. It knows the
 * commands that the driver needs and no others; in particular no VMware tools run in its guests.
 */

const waitMs = 20_000;

async function start(world: World, [vmx = '', mode]: readonly string[], fault: PlayedFaultKind | null): Promise<void> {
  if (mode !== 'nogui') throw new Refusal('Cannot connect to the virtual machine');
  const running = world.find(vmx);
  if (running?.state === 'suspended' && isSuspended(vmx)) return await tell(world, running, 'resume', 'running');
  // Its memory was thrown away.
  if (running?.state === 'suspended') await tell(world, running, 'stop', null);
  else if (running !== null) throw new Refusal('The file is already in use');
  readDescription(vmx);
  const mood = fault === 'dark' || fault === 'silent-console' ? fault : 'well';
  const words = [world.home, vmx, mood, String(world.sshPort), world.system];
  startPlayedMachine(new URL('./guest.ts', import.meta.url), words, join(world.home, 'guest.log'));
  await becomes(world, vmx, 'running');
}

async function change(
  world: World,
  vmx: string,
  wanted: { wish: PlayedWish; from: PlayedState; to: PlayedState | null },
) {
  readValues(vmx);
  const vm = world.find(vmx);
  const { wish, from, to } = wanted;
  if (vm === null || vm.state === 'suspended') throw new Refusal(`The virtual machine is not powered on: ${vmx}`);
  if (wish !== 'stop' && vm.state !== from)
    throw new Refusal('The operation was attempted from an inappropriate state of the virtual machine');
  await tell(world, vm, wish, to);
}

async function run(world: World, command: readonly string[], fault: PlayedFaultKind | null): Promise<string> {
  const [verb = '', vmx = '', mode] = command;
  switch (verb) {
    case 'list': {
      const running = world.machines().filter(({ state }) => state !== 'suspended');
      return [`Total running VMs: ${running.length}`, ...running.map((vm) => vm.vmx), ''].join('\n');
    }
    case 'start':
      await start(world, command.slice(1), fault);
      return '';
    case 'stop':
      if (mode !== 'hard') throw new Refusal('The VMware Tools are not running in the virtual machine');
      await change(world, vmx, { wish: 'stop', from: 'running', to: null });
      return '';
    case 'pause':
      await change(world, vmx, { wish: 'pause', from: 'running', to: 'paused' });
      return '';
    case 'unpause':
      await change(world, vmx, { wish: 'unpause', from: 'paused', to: 'running' });
      return '';
    case 'suspend':
      if (mode !== 'hard') throw new Refusal('The VMware Tools are not running in the virtual machine');
      await change(world, vmx, { wish: 'suspend', from: 'running', to: 'suspended' });
      return '';
    default:
      throw new Refusal(`Unrecognized command: ${verb}`);
  }
}

const isSuspended = (vmx: string): boolean => (readValues(vmx).get('checkpoint.vmstate') ?? '') !== '';

async function tell(world: World, { vmx, pid }: PlayedVm, wish: PlayedWish, to: PlayedState | null): Promise<void> {
  world.setWish(vmx, wish);
  process.kill(pid, 'SIGUSR1');
  await becomes(world, vmx, to);
}

async function becomes(world: World, vmx: string, state: PlayedState | null): Promise<void> {
  const deadline = performance.now() + waitMs;
  while ((world.find(vmx)?.state ?? null) !== state) {
    if (performance.now() > deadline) throw new Refusal('Unknown error');
    await delay(20);
  }
}

const refusals: Partial<Record<PlayedFaultKind, string>> = {
  'in-use': 'The file is already in use',
  'no-virtualisation': 'This host supports Intel VT-x, but Intel VT-x is disabled',
  'little-memory':
    'Not enough physical memory is available to power on this virtual machine with its configured settings',
};

export async function playVmrun(
  { words }: PlayedCall,
  { world, version }: { readonly world: World; readonly version: string },
): Promise<PlayedOutcome> {
  if (words.length === 0) {
    const usage = 'Usage: vmrun [AUTHENTICATION-FLAGS] COMMAND [PARAMETERS]';
    return { exitCode: 255, stdout: `\nvmrun version ${version} build-24583834\n\n${usage}\n` };
  }
  const [flag, product = '', ...command] = words;
  const fault = world.faults.take(command[0] ?? '');
  try {
    if (flag !== '-T' || !['ws', 'fusion'].includes(product)) throw new Refusal(`Invalid argument: ${product}`);
    if (fault === 'killed-before') return 'dies';
    if (fault === 'hangs') return 'hangs';
    const refusal = fault === null ? undefined : refusals[fault];
    if (refusal !== undefined) throw new Refusal(refusal);
    const stdout = await run(world, command, fault);
    return fault === 'killed-after' ? 'dies' : { exitCode: 0, stdout };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { exitCode: 255, stdout: `Error: ${error.message}\n` };
  }
}
