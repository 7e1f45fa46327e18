import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { chromiumSuite, eventually } from './chromium-suite.ts';
import { firstRunSteps, machineRow, operationRow, pullLayer, pullRow } from './fixture-rows.ts';
import type { FixtureWorld } from './fixture-world.ts';
import { emptyMachine, examined, imageDay, named, workingDay } from './scenes.ts';

const audit = await readFile(new URL('audit-page.js', import.meta.url), 'utf8');

interface View {
  readonly name: string;
  readonly set: (world: FixtureWorld) => void;
  readonly go?: (page: Page, world: FixtureWorld, visit: (hash: string) => Promise<void>) => Promise<void>;
}

const views: readonly View[] = [
  { name: 'welcome', set: () => undefined },
  {
    name: 'first run',
    set: (world) =>
      world.machines.set(machineRow({ state: 'creating', operation: operationRow({ steps: firstRunSteps(2) }) })),
  },
  {
    name: 'first run that failed',
    set: (world) => world.machines.set(machineRow({ state: 'create-failed', error: 'no space', operation: null })),
  },
  { name: 'empty list', set: emptyMachine },
  { name: 'list', set: workingDay, go: async (page) => page.getByRole('row', { name: 'web' }).waitFor() },
  {
    name: 'stale list',
    set: workingDay,
    go: async (page, world) => {
      const error = { code: 'engine-unreachable' as const, message: 'gone' };
      await page.getByRole('row', { name: 'web' }).waitFor();
      world.engines.set({ machine: 'default', state: 'stale', since: Date.now(), retryAt: Date.now(), error });
      await page.getByText('Showing what was known').waitFor();
    },
  },
  {
    name: 'run dialog',
    set: workingDay,
    go: async (page) => {
      await page.getByRole('button', { name: 'Run …' }).click();
      await page.getByRole('textbox', { name: 'Ports' }).fill('x');
      await page.getByRole('button', { name: 'Run', exact: true }).click();
      await page.getByText('Name an image.').waitFor();
    },
  },
  {
    name: 'removal',
    set: workingDay,
    go: async (page) => {
      await page.getByRole('button', { name: 'Remove …: web', exact: true }).click();
      await page.getByText('web-data').waitFor();
    },
  },
  {
    name: 'log',
    set: (world) => {
      workingDay(world);
      for (let code = 30; code < 38; code += 1)
        world.write(
          named(world, 'web'),
          `\u001b[${code}mcolour ${code}\u001b[0m \u001b[2mdim\u001b[0m`,
          code % 2 ? 'stdout' : 'stderr',
        );
    },
    go: async (page, world, visit) => {
      await visit(`#/containers/default/${named(world, 'web').id}`);
      await page.getByRole('log').getByText('colour 37').waitFor();
    },
  },
  {
    name: 'images',
    set: (world) => {
      imageDay(world);
      world.pulls.set(pullRow({ layers: [pullLayer('3f0a14e1c0b9', 'Extracting', 21, 48)] }));
    },
    go: async (page, _world, visit) => {
      await visit('#/images');
      await page.getByRole('row', { name: 'postgres:18' }).waitFor();
    },
  },
  {
    name: 'image',
    set: imageDay,
    go: async (page, _world, visit) => {
      await visit('#/images');
      await page.getByRole('link', { name: 'shop/report:latest' }).click();
      await page.getByRole('row', { name: 'app' }).click();
      await page.getByText('package.json').waitFor();
    },
  },
  {
    name: 'machines',
    set: (world) => {
      workingDay(world);
      world.machines.set(machineRow({ name: 'old', state: 'unknown', error: 'QEMU is gone' }));
    },
    go: (_page, _world, visit) => visit('#/machines'),
  },
  {
    name: 'machine',
    set: (world) => {
      workingDay(world);
      examined(world);
    },
    go: async (page, _world, visit) => {
      await visit('#/machines/default');
      await page.getByText('Debian GNU/Linux').waitFor();
    },
  },
  {
    name: 'new machine',
    set: workingDay,
    go: async (page, _world, visit) => {
      await visit('#/new-machine');
      await page.getByRole('radio', { name: 'A Linux host by SSH' }).check();
      await page.getByText('More settings').click();
      await page.getByRole('button', { name: 'Make the machine' }).click();
      await page.getByText('This is needed.').waitFor();
    },
  },
];

chromiumSuite('the page for everybody', (open) => {
  it.each(views)('has names and contrast, light and dark: $name', async ({ set, go }) => {
    await using opened = await open({ set, colorScheme: 'light' });
    const { page } = opened;
    await go?.(page, opened.world, opened.visit);
    const light = await page.evaluate(audit);
    const ground = (): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const before = await ground();
    await page.emulateMedia({ colorScheme: 'dark' });
    await eventually(ground).not.toBe(before);
    expect({ light, dark: await page.evaluate(audit) }).toEqual({ light: [], dark: [] });
  });

  it('keeps the focus in a dialog and gives it back afterwards', async () => {
    await using opened = await open({ set: workingDay });
    const { page } = opened;
    const run = page.getByRole('button', { name: 'Run …' });
    await run.click();
    const dialog = page.getByRole('dialog');
    await dialog.waitFor();
    for (let press = 0; press < 12; press += 1) {
      await page.keyboard.press('Tab');
      expect(await page.evaluate(`document.activeElement.closest('[role="dialog"]') !== null`)).toBe(true);
    }
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await eventually(() => run.evaluate((button) => button === button.ownerDocument.activeElement)).toBe(true);
  });
});
