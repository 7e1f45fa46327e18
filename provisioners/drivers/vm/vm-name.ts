import type { DriverMachine } from '../driver.ts';

/**
 * What a machine is called in a hypervisor that lets things carry nothing but a name from the moment that they are made. Files carry
 * it too, in paths of at most 260 letters on Windows, so that of a long name of ours only the begin is in it.
 */
export function vmNameOf({ name, owner, id }: Pick<DriverMachine, 'name' | 'owner' | 'id'>): string {
  return `skiff-${name.slice(0, 24)}-${owner}-${id}`;
}

export function parseVmName(vmName: string): { readonly owner: string; readonly machineId: string } | null {
  const [, owner, machineId] = /^skiff-.+-([0-9a-f]{16})-([0-9a-f]{32})$/.exec(vmName) ?? [];
  return owner === undefined || machineId === undefined ? null : { owner, machineId };
}
