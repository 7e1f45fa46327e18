import { expect, it } from 'vitest';
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
});
