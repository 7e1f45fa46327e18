import { expect, it } from 'vitest';
import { MachineError } from '../../provisioners/machines.ts';
import { openDesktopCore } from '../peers/desktop-core.ts';
import { chromiumSuite, eventually } from './chromium-suite.ts';

chromiumSuite('the page on the whole core, with an engine in memory behind it', (open) => {
  it('runs hello, follows its log, starts it again and removes it', async () => {
    await using desktop = await openDesktopCore({ prepare: (machines) => machines.add('default') });
    await using opened = await open({ services: desktop.core.services });
    const { page } = opened;
    await page.getByRole('heading', { name: 'No containers yet' }).waitFor();
    await page.getByRole('button', { name: 'Run hello' }).click();
    await page.getByRole('log').getByText('Hello', { exact: false }).first().waitFor();
    await page.getByText('Exited (0)').waitFor();
    const name = await page.getByRole('heading', { level: 1 }).innerText();
    await page.getByRole('button', { name: 'Start' }).click();
    await eventually(() => page.getByRole('log').getByText('Hello', { exact: false }).count()).toBeGreaterThanOrEqual(
      2,
    );
    await page.getByRole('button', { name: 'Remove …' }).click();
    await page
      .getByRole('alertdialog', { name: `Remove ${name}?` })
      .getByRole('button', { name: 'Remove', exact: true })
      .click();
    await page.getByRole('heading', { name: 'This container is gone' }).waitFor();
    await page.getByRole('button', { name: 'All containers' }).click();
    await page.getByRole('heading', { name: 'No containers yet' }).waitFor();
    expect(desktop.faults).toEqual([]);
  });

  it('goes on working when the connections to the engine were cut', async () => {
    await using desktop = await openDesktopCore({ prepare: (machines) => machines.add('default') });
    await desktop.client.containers.runHello({ machine: 'default' });
    await using opened = await open({ services: desktop.core.services });
    const { page } = opened;
    const row = page.getByRole('row').nth(1);
    await row.waitFor();
    desktop.engine.disconnectAll();
    await row.getByRole('button', { name: 'Start' }).click();
    await row.getByText('Exited (0)').waitFor();
  });

  it('makes a machine by the form that its driver’s settings give, pauses it, and says why it cannot be copied', async () => {
    await using desktop = await openDesktopCore({
      prepare: (machines) => {
        machines.add('default');
        machines.shell = async () =>
          [
            'Filesystem 1024-blocks Used Available Capacity Mounted on',
            '/dev/vdb 33554432 2097152 31457280 7% /var/lib/skiff',
            'MemTotal: 3145728 kB',
            'MemAvailable: 2097152 kB',
            '',
          ].join('\n');
        machines.script = async (verb) => {
          if (verb === 'clone') throw new MachineError('no-space', 'There is no room for a second disk.');
        };
      },
    });
    await using opened = await open({ services: desktop.core.services });
    const { page, visit } = opened;
    await visit('#/new-machine');
    await page.getByRole('textbox', { name: 'Name' }).fill('second');
    await page.getByRole('textbox', { name: 'Memory' }).fill('200 GB');
    await page.getByRole('button', { name: 'Make the machine' }).click();
    await page.getByText('Write a size from 1 GB to 64 GB').waitFor();
    await page.getByRole('textbox', { name: 'Memory' }).fill('3');
    await page.getByRole('button', { name: 'Make the machine' }).click();
    await page.getByRole('heading', { name: 'second' }).waitFor();
    await page.getByRole('region', { name: 'About this machine' }).getByText('3 GB').waitFor();
    for (const used of ['2 GB of 32 GB', '1 GB of 3 GB']) await page.getByText(used).waitFor();

    const choose = async (name: string): Promise<void> => {
      await page.getByRole('button', { name: 'More actions' }).click();
      await page.getByRole('menuitem', { name }).click();
    };
    desktop.machines.change('second', { abilities: ['pause', 'copies'] });
    await page.getByRole('button', { name: 'Stop' }).waitFor();
    await choose('Pause');
    await page.getByRole('button', { name: 'Resume' }).click();
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Start' }).waitFor();
    await choose('Clone …');
    await page.getByRole('button', { name: 'Clone', exact: true }).click();
    await page.getByRole('alert').getByText('There is no room for a second disk.').waitFor();
    await page.reload();
    await page.getByRole('alert').getByText('There is no room for a second disk.').waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    expect(desktop.faults).toEqual([]);
  });
});
