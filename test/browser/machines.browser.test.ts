import { expect, it } from 'vitest';
import { chromiumSuite } from './chromium-suite.ts';
import { firstRunSteps, machineRow, operationRow } from './fixture-rows.ts';
import { workingDay } from './scenes.ts';

chromiumSuite('machines', (open) => {
  it('shows what a machine is and how to use it from a terminal', async () => {
    await using opened = await open({ set: workingDay, permissions: ['clipboard-read', 'clipboard-write'] });
    const { page, world, visit } = opened;
    world.console('default').write('sshd is up\n');
    await visit('#/machines');
    await page.getByRole('link', { name: 'default' }).first().click();
    const facts = page.getByRole('region', { name: 'About this machine' });
    for (const fact of [
      'QEMU',
      'root@127.0.0.1:49213',
      '4 GB',
      '64 GB',
      'hvf, cpu host',
      '0.1.0',
      'connected',
      '5 of 8 running',
    ])
      await facts.getByText(fact, { exact: true }).waitFor();
    await page.getByRole('region', { name: 'What it uses' }).getByText('11.2 GB of 63 GB').waitFor();
    await page.getByRole('button', { name: 'Copy: docker context use skiff-default' }).click();
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('docker context use skiff-default');
  });

  it('shows its logs, those in the machine only while it runs', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    world.console('default').write('sshd is up\n');
    world.console('engine default').write('listening\n');
    await visit('#/machines/default');
    await page.getByRole('link', { name: 'Logs' }).click();
    await page.getByRole('log').getByText('sshd is up').waitFor();
    await page.getByText('Engine', { exact: true }).click();
    await page.getByRole('log').getByText('listening').waitFor();
    world.machines.set(machineRow({ state: 'stopped' }));
    await page.getByText('start it to read it').waitFor();
  });

  it('asks before it stops what runs, and before it removes everything', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    await visit('#/machines/default');
    await page.getByRole('button', { name: 'Stop' }).click();
    const question = page.getByRole('alertdialog', { name: 'Stop the machine default?' });
    await question.getByText('5 running containers will be stopped').waitFor();
    await question.getByRole('button', { name: 'Stop the machine' }).click();
    await page.getByRole('button', { name: 'Start' }).waitFor();
    expect(world.asked).toEqual(['stopMachine default']);

    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Remove …' }).click();
    const removal = page.getByRole('alertdialog', { name: 'Remove the machine default?' });
    const confirm = removal.getByRole('button', { name: 'Remove the machine' });
    expect(await confirm.isDisabled()).toBe(true);
    await removal.getByRole('textbox', { name: 'Type default to confirm' }).fill('default');
    await confirm.click();
    await page.getByRole('heading', { name: 'Welcome to Skiff' }).waitFor();
    expect(world.asked).toEqual(['stopMachine default', 'removeMachine default']);
  });

  it('shows how far an operation is', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        const operation = operationRow({ verb: 'start', steps: firstRunSteps(2) });
        world.machines.set(machineRow({ name: 'build-box', state: 'starting', operation }));
      },
    });
    const { page, visit } = opened;
    await visit('#/machines');
    expect(await page.getByRole('progressbar', { name: 'Starting the machine' }).getAttribute('aria-valuenow')).toBe(
      '50',
    );
    await visit('#/machines/build-box');
    await page.getByText('Linux is up, waiting for SSH').waitFor();
  });
});
