import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readDescription, readValues, Refusal } from './description.ts';
import type { PlayedFaultKind, PlayedState, PlayedVm, PlayedWish } from './world.ts';
import { World } from './world.ts';

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
  const log = openSync(join(world.home, 'guest.log'), 'a');
  const program = fileURLToPath(new URL('./guest.ts', import.meta.url));
  const args = [program, world.home, vmx, fault === 'dark' || fault === 'silent-console' ? fault : 'well'];
  spawn(process.execPath, args, { detached: true, stdio: ['ignore', log, log] }).unref();
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

async function main(): Promise<number> {
  const args = process.argv.slice(2);
  if (args.length === 0) {
    process.stdout.write(
      `\nvmrun version ${process.env['PLAYED_VMWARE_VERSION'] ?? '1.17.0'} build-24583834\n\nUsage: vmrun [AUTHENTICATION-FLAGS] COMMAND [PARAMETERS]\n`,
    );
    return 255;
  }
  const home = process.env['PLAYED_VMWARE_HOME'];
  if (home === undefined) throw new Error('the played vmrun needs PLAYED_VMWARE_HOME');
  const world = new World(home);
  const [flag, product = '', ...command] = args;
  const fault = world.faults.take(command[0] ?? '');
  try {
    if (flag !== '-T' || !['ws', 'fusion'].includes(product)) throw new Refusal(`Invalid argument: ${product}`);
    if (fault === 'killed-before') process.kill(process.pid, 'SIGKILL');
    if (fault === 'hangs') {
      // Something that keeps it from ending by itself.
      const still = setInterval(() => undefined, 1_000);
      await once(process, 'SIGTERM');
      clearInterval(still);
      return 143;
    }
    const refusal = fault === null ? undefined : refusals[fault];
    if (refusal !== undefined) throw new Refusal(refusal);
    process.stdout.write(await run(world, command, fault));
    if (fault === 'killed-after') process.kill(process.pid, 'SIGKILL');
    return 0;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    process.stdout.write(`Error: ${error.message}\n`);
    return 255;
  }
}

process.exitCode = await main();
