import { expect, it } from 'vitest';
import { chromiumSuite, eventually } from './chromium-suite.ts';
import { firstRunSteps, machineRow, operationRow } from './fixture-rows.ts';

chromiumSuite('the first run', (open) => {
  it('goes from nothing to the list of containers, step by step', async () => {
    await using opened = await open();
    const { page, world } = opened;
    await page.getByRole('heading', { name: 'Welcome to Skiff' }).waitFor();
    const finish = world.hold('ensureRunning');
    await page.getByRole('button', { name: 'Set up Skiff' }).click();
    await eventually(() => world.asked).toEqual(['ensureRunning default']);

    world.machines.set(
      machineRow({ state: 'creating', dockerHost: null, operation: operationRow({ steps: firstRunSteps(1) }) }),
    );
    await page.getByRole('heading', { name: 'Setting up Skiff' }).waitFor();
    const steps = page.getByRole('list', { name: 'Steps' }).getByRole('listitem');
    await eventually(() => steps.allInnerTexts()).toHaveLength(6);
    expect(await steps.nth(0).innerText()).toContain('done');
    expect(await steps.nth(1).getAttribute('aria-current')).toBe('step');
    expect(await steps.nth(5).innerText()).toContain('Asking the engine for its containers');

    const done = operationRow({ state: 'done', steps: firstRunSteps(5) });
    world.machines.set(machineRow({ operation: done }));
    world.engines.set({ machine: 'default', state: 'connecting', since: Date.now() });
    await eventually(() => steps.nth(5).getAttribute('aria-current')).toBe('step');
    world.engineReady();
    finish();
    await page.getByRole('heading', { name: 'No containers yet' }).waitFor();
  });

  it('says why it failed, and goes on from there', async () => {
    const error = { code: 'no-space' as const, message: 'The disk of this computer is full: 2 GB are needed.' };
    const steps = firstRunSteps(2).map((step) =>
      step.state === 'running' ? { ...step, state: 'failed' as const } : step,
    );
    await using opened = await open({
      set: (world) =>
        world.machines.set(
          machineRow({ state: 'create-failed', operation: operationRow({ state: 'failed', steps, error }) }),
        ),
    });
    const { page, world } = opened;
    expect(await page.getByRole('alert').innerText()).toContain('The disk of this computer is full');
    world.hold('ensureRunning');
    await page.getByRole('button', { name: 'Try again' }).click();
    await eventually(() => world.asked).toEqual(['ensureRunning default']);
    world.machines.set(machineRow({ state: 'creating', operation: operationRow({ steps: firstRunSteps(2) }) }));
    await page.getByRole('heading', { name: 'Setting up Skiff' }).waitFor();
  });

  it('shows what the machine says to who wants to know', async () => {
    await using opened = await open({
      set: (world) => {
        world.machines.set(machineRow({ state: 'creating', operation: operationRow({ steps: firstRunSteps(2) }) }));
        world.console('default').write('Linux version 6.12\n');
      },
    });
    const { page, world } = opened;
    await page.getByText('Details').click();
    await page.getByText('Linux version 6.12').waitFor();
    world.console('default').write('sshd is up\n');
    await page.getByText('sshd is up').waitFor();
  });

  it('can be stopped, and left to go on by itself', async () => {
    await using opened = await open({
      set: (world) =>
        world.machines.set(machineRow({ state: 'creating', operation: operationRow({ steps: firstRunSteps(2) }) })),
    });
    const { page, world } = opened;
    await page.getByRole('button', { name: 'Stop' }).click();
    await eventually(() => world.asked).toEqual(['cancel default']);
    await page.getByRole('button', { name: 'Continue in the background' }).click();
    await page.getByRole('heading', { name: 'Containers' }).waitFor();
    await page.getByText('The machine “default” is being made.').waitFor();
  });

  it('leads to other kinds of machines, for a computer that is not to have its own', async () => {
    await using opened = await open();
    const { page } = opened;
    await page.getByRole('link', { name: 'Other kinds of machines …' }).click();
    await page.getByRole('heading', { name: 'New machine' }).waitFor();
    expect(await page.getByRole('textbox', { name: 'Name' }).inputValue()).toBe('default');
  });
});
