import type { Machine, Machines } from '../../../provisioners/machines.ts';
import { CommandError } from '../../usage-error.ts';

/**
 * The machines that a verb is about: those that are named, else `default`. All are looked up before anything is done to one:
 * one wrong name ends the command with nothing changed.
 */
export async function chosenMachines(machines: Machines, names: readonly string[]): Promise<readonly Machine[]> {
  if (names.length === 0) return [await defaultMachine(machines)];
  return Promise.all([...new Set(names)].map((name) => machines.inspect(name)));
}

export async function chosenMachine(machines: Machines, name: string | undefined): Promise<Machine> {
  return name === undefined ? defaultMachine(machines) : machines.inspect(name);
}

async function defaultMachine(machines: Machines): Promise<Machine> {
  const found = (await machines.list()).find(({ name }) => name === 'default');
  if (found) return found;
  throw new CommandError('Error: No machine name(s) specified and no "default" machine exists');
}
