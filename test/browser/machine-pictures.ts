import { firstRunSteps, machineRow, operationRow } from './fixture-rows.ts';
import type { Picture } from './picture.ts';
import { bootLines, examined, workingDay } from './scenes.ts';

/** Machines in their main states, and what is asked about them. */
export const machinePictures: readonly Picture[] = [
  {
    name: 'machines',
    set: (world) => {
      workingDay(world);
      world.machines.set(
        machineRow({
          name: 'build-box',
          driver: 'ec2',
          state: 'starting',
          operation: operationRow({ verb: 'start', steps: firstRunSteps(2) }),
        }),
      );
      world.machines.set(
        machineRow({
          name: 'old',
          state: 'unknown',
          error: 'QEMU is not installed any more: install it, or remove this machine.',
        }),
      );
    },
    hash: '#/machines',
  },
  {
    name: 'machine',
    set: (world) => {
      workingDay(world);
      examined(world);
    },
    hash: '#/machines/default',
    act: (page) => page.getByText('Debian GNU/Linux').waitFor(),
  },
  {
    name: 'machine-stopped',
    set: (world) => {
      workingDay(world);
      examined(world);
      world.machines.set(machineRow({ name: 'build-box', state: 'stopped', address: null, connection: null }));
    },
    hash: '#/machines/build-box',
    act: async (page) => {
      await page.getByText('before-upgrade').waitFor();
      await page.getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem', { name: 'Clone …' }).waitFor();
    },
  },
  {
    name: 'machine-creating',
    set: (world) => {
      workingDay(world);
      const operation = operationRow({ verb: 'create', steps: firstRunSteps(2) });
      world.machines.set(machineRow({ name: 'build-box', state: 'creating', dockerHost: null, operation }));
    },
    hash: '#/machines/build-box',
  },
  {
    name: 'machine-failed',
    set: (world) => {
      workingDay(world);
      const steps = firstRunSteps(2).map((step) =>
        step.state === 'running' ? { ...step, state: 'failed' as const } : step,
      );
      const error = {
        code: 'boot-failed' as const,
        message: 'Nothing came on its console within 60 s; try again, or give it more memory.',
      };
      world.machines.set(
        machineRow({
          name: 'build-box',
          state: 'create-failed',
          error: error.message,
          address: null,
          resources: [
            { key: 'server', title: 'Server', state: 'asked', id: null },
            { key: 'key', title: 'SSH key', state: 'made', id: 'key-0f31aa' },
          ],
          operation: operationRow({ verb: 'create', state: 'failed', steps, error }),
        }),
      );
    },
    hash: '#/machines/build-box',
  },
  {
    name: 'machine-logs',
    set: (world) => {
      workingDay(world);
      bootLines(world);
    },
    hash: '#/machines/default/logs',
    act: (page) => page.getByText('ssh is listening').waitFor(),
  },
  {
    name: 'machine-resize',
    set: workingDay,
    hash: '#/machines/default',
    act: async (page) => {
      await page.getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem', { name: 'Change its sizes …' }).click();
      await page.getByRole('textbox', { name: 'Disk' }).fill('20');
      await page.getByRole('textbox', { name: 'Memory' }).focus();
    },
  },
  {
    name: 'new-machine',
    set: workingDay,
    hash: '#/new-machine',
    act: (page) => page.getByText('1 not usable').click(),
  },
  {
    name: 'new-machine-host',
    set: workingDay,
    hash: '#/new-machine',
    act: async (page) => {
      await page.getByRole('radio', { name: 'A Linux host by SSH' }).check();
      await page.getByText('More settings').click();
      await page.getByRole('textbox', { name: 'Port' }).fill('70000');
      await page.getByRole('button', { name: 'Make the machine' }).click();
      await page.getByText('This is needed.').waitFor();
    },
  },
  {
    name: 'machines-clean-up',
    set: (world) => {
      workingDay(world);
      world.machineFacts.leftovers = [
        { title: 'docker context "skiff-old" of a machine that is gone', sizeBytes: null, cost: null },
        {
          title: 'process 4711 of machine "old", which is gone',
          sizeBytes: null,
          cost: 'its processor time and memory',
        },
        { title: 'half an import (.import-x1)', sizeBytes: 12_400_000_000, cost: 'its disk space' },
      ];
    },
    hash: '#/machines',
    act: async (page) => {
      await page.getByRole('button', { name: 'Import and clean up' }).click();
      await page.getByRole('menuitem', { name: 'Clean up …' }).click();
      await page.getByText('half an import').waitFor();
    },
  },
];
