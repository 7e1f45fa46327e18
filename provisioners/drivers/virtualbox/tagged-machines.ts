import { stat } from 'node:fs/promises';
import { readableBytes } from '../../settings/driver-settings.ts';
import type { TaggedResource, TaggedRole } from '../driver.ts';
import { forget } from './media.ts';
import type { VBoxManage } from './vbox-manage.ts';
import { cutPower, detachDisks } from './virtual-machine.ts';
import type { VmInfo } from './vm-info.ts';
import { readVmInfo } from './vm-info.ts';

/**
 * A machine of VirtualBox is made in a group of its own installation, which is the one mark that `createvm` puts on with the making.
 * VirtualBox's window shows groups as folders.
 */
export function groupOf(owner: string): string {
  return `/skiff-${owner}`;
}

export const namePrefix = 'skiff-';

export function taggedMachines(open: () => Promise<VBoxManage>): TaggedRole {
  return {
    async find(owner, { signal }) {
      const vbox = await open();
      const listed = await vbox.run(['list', 'vms'], { signal });
      const uuids = listed.split('\n').flatMap((line) => {
        const [, name, uuid] = /^"(.*)" \{([0-9a-f-]{36})\}/.exec(line) ?? [];
        return uuid !== undefined && name?.startsWith(namePrefix) === true ? [{ name, uuid }] : [];
      });
      const found = await Promise.all(
        uuids.map(async ({ name, uuid }): Promise<TaggedResource[]> => {
          const info = await readVmInfo(vbox, uuid, { signal });
          if (info?.groups !== groupOf(owner)) return [];
          return [
            {
              machineId: uuid.replaceAll('-', ''),
              title: `VirtualBox machine "${name}"`,
              cost: await costOf(info),
              remove: (run) => removeMachine(vbox, uuid, run.signal),
            },
          ];
        }),
      );
      return found.flat();
    },
  };
}

async function costOf({ disks, state }: VmInfo): Promise<string | null> {
  const sizes = await Promise.all(
    [...disks.values()].map((path) =>
      stat(path).then(
        ({ blocks }) => blocks * 512,
        // Its folder is gone; what VirtualBox knows of it costs nothing.
        () => 0,
      ),
    ),
  );
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const disk = bytes === 0 ? [] : [`${readableBytes(bytes)} of disk`];
  const run = state === 'running' ? ['its processor time and memory'] : [];
  return [...run, ...disk].join(', ') || null;
}

async function removeMachine(vbox: VBoxManage, uuid: string, signal: AbortSignal): Promise<void> {
  const vm = { vbox, uuid, signal };
  const info = await readVmInfo(vbox, uuid, { signal });
  if (info === null) return;
  await cutPower(vm, info);
  await detachDisks(vm, info);
  await vbox.run(['unregistervm', uuid], { signal });
  for (const disk of info.disks.values()) await forget(vm, disk);
}
