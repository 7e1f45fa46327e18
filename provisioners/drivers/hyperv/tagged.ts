import { rm } from 'node:fs/promises';
import type { TaggedResource } from '../driver.ts';
import { parseVmName } from '../vm/vm-name.ts';
import type { Powershell } from './powershell.ts';
import type { VirtualMachine } from './virtual-machine.ts';
import { attachedDisks, cutPower, listVms, removeVm } from './virtual-machine.ts';

/** All machines of Hyper-V that this installation of Skiff has made, by the names that it gave them. */
export async function taggedVms(
  powershell: Powershell,
  { owner, signal }: { readonly owner: string; readonly signal: AbortSignal },
): Promise<readonly TaggedResource[]> {
  return (await listVms(powershell, signal)).flatMap(({ id, name }): TaggedResource[] => {
    const tag = parseVmName(name);
    if (tag?.owner !== owner) return [];
    return [
      {
        machineId: tag.machineId,
        title: `Hyper-V machine "${name}"`,
        // Its disks lie in the machine's folder: what is left of that is told with it.
        cost: null,
        remove: (run) => removeTagged({ powershell, vmId: id, signal: run.signal }),
      },
    ];
  });
}

async function removeTagged(vm: VirtualMachine): Promise<void> {
  const known = (await listVms(vm.powershell, vm.signal)).find(({ id }) => id === vm.vmId);
  if (known === undefined) return;
  const disks = await attachedDisks(vm);
  await cutPower(vm, known.state);
  await removeVm(vm);
  for (const disk of disks) await rm(disk, { force: true });
}
