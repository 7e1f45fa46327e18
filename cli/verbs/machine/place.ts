import type { Machine } from '../../../provisioners/machines.ts';
import { CommandError } from '../../usage-error.ts';

export interface MachinePlace {
  readonly user: string | null;
  readonly machine: string;
  readonly path: string;
}

/** `[user@]MACHINE:PATH`; null for a path of this computer. A colon before the first slash names a machine; `C:\…` is a drive. */
export function machinePlace(text: string): MachinePlace | null {
  const [, user, machine, path] = /^(?:([^@/:]+)@)?([a-zA-Z0-9][a-zA-Z0-9.-]+):(.*)$/s.exec(text) ?? [];
  return machine === undefined || path === undefined ? null : { user: user ?? null, machine, path };
}

/** How OpenSSH's programs reach it. */
export function reached({ name, ssh, state }: Machine): NonNullable<Machine['ssh']> {
  if (ssh !== null) return ssh;
  const why = state === 'running' ? 'is this computer itself: name the path alone' : 'is not running';
  throw new CommandError(`Machine "${name}" ${why}`);
}
