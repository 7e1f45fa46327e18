import { expect, it } from 'vitest';
import { DesktopError } from '../../desktop/contract/errors.ts';
import { chromiumSuite, eventually } from './chromium-suite.ts';
import { machineRow } from './fixture-rows.ts';
import { emptyMachine, manyContainers, named, workingDay } from './scenes.ts';

chromiumSuite('the list of containers', (open) => {
  it('offers hello as the one thing to do, runs it and shows its log', async () => {
    await using opened = await open({ set: emptyMachine });
    const { page, world } = opened;
    const finish = world.hold('runHello');
    await page.getByRole('button', { name: 'Run hello' }).click();
    await page.getByRole('button', { name: 'Starting hello …' }).waitFor();
    finish();
    await page.getByRole('heading', { name: 'hello', exact: true }).waitFor();
    await page.getByRole('log').getByText('Hello from hello.').waitFor();
    expect(world.asked).toEqual(['runHello']);
  });

  it('stops, starts and removes, showing what is under way', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world } = opened;
    const row = page.getByRole('row', { name: 'api', exact: true });
    const stopped = world.hold('stop');
    await row.getByRole('button', { name: 'Stop: api' }).click();
    await row.getByText('Stopping …').waitFor();
    await eventually(() => row.getByRole('button', { name: 'Restart: api' }).isDisabled()).toBe(true);
    stopped();
    await row.getByText('Exited (143)').waitFor();
    await row.getByRole('button', { name: 'Start: api' }).click();
    await row.getByText('Running').waitFor();

    await row.getByRole('button', { name: 'Remove …: api' }).click();
    const question = page.getByRole('alertdialog', { name: 'Remove api?' });
    await question.getByText('It is running.').waitFor();
    await question.getByText('The volume or folder api-data').waitFor();
    await question.getByRole('button', { name: 'Cancel' }).click();
    expect(world.asked.filter((asked) => asked.startsWith('remove'))).toEqual([]);
    await row.getByRole('button', { name: 'Remove …: api' }).click();
    await question.getByRole('button', { name: 'End and remove' }).click();
    await row.waitFor({ state: 'detached' });
    expect(world.asked).toEqual(['stop api', 'start api', 'remove api']);
  });

  it('shows an error where it happened, until it is dismissed', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world } = opened;
    const row = page.getByRole('row', { name: 'migrate' });
    world.hold('start')(new DesktopError('engine-refused', 'port 5432 is already allocated'));
    await row.getByRole('button', { name: 'Start: migrate' }).click();
    await row.getByRole('alert').getByText('port 5432 is already allocated').waitFor();
    await row.getByRole('button', { name: 'Dismiss' }).click();
    await row.getByRole('alert').waitFor({ state: 'detached' });
  });

  it('runs what the dialog is told, after it has said what is wrong', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world } = opened;
    await page.getByRole('button', { name: 'Run …' }).click();
    const dialog = page.getByRole('dialog', { name: 'Run a container' });
    await dialog.getByRole('textbox', { name: 'Image' }).fill('nginx');
    await dialog.getByRole('textbox', { name: 'Ports' }).fill('80:99999');
    await dialog.getByRole('button', { name: 'Run' }).click();
    await dialog.getByText('“80:99999” is not a port.').waitFor();
    await dialog.getByRole('textbox', { name: 'Ports' }).fill('8081:80');
    await dialog.getByText('docker run --detach --publish 8081:80 nginx').waitFor();
    world.hold('run')(new DesktopError('no-such-image', 'No such image: nginx:latest'));
    await dialog.getByRole('button', { name: 'Run' }).click();
    await dialog.getByRole('alert').getByText('No such image: nginx:latest').waitFor();
    await dialog.getByRole('textbox', { name: 'Image' }).fill('busybox');
    await dialog.getByRole('button', { name: 'Run' }).click();
    await page.getByRole('heading', { name: 'calm_otter' }).waitFor();
    expect(world.asked).toEqual(['run nginx', 'run busybox']);
  });

  it('is worked by keyboard alone', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world } = opened;
    const focused = (): Promise<string | null> => page.locator(':focus').getAttribute('aria-label');
    await page.getByRole('row', { name: 'web' }).waitFor();
    await page.keyboard.press('/');
    await eventually(focused).toBe('Search containers');
    await page.keyboard.type('registry');
    await eventually(() => page.getByRole('row').count()).toBe(4);
    await page.keyboard.press('Enter');
    await eventually(focused).toBe('api');
    await page.keyboard.press('j');
    await eventually(focused).toBe('migrate');
    await page.keyboard.press('Home');
    await eventually(focused).toBe('api');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await eventually(focused).toBe('Stop: api');
    await page.keyboard.press('Enter');
    await eventually(() => world.asked).toEqual(['stop api']);
    // The button under the focus became another one, and the focus is still there.
    await eventually(focused).toBe('Start: api');
    await page.keyboard.press('Escape');
    await eventually(focused).toBe('api');
    await page.keyboard.press('Delete');
    await page.getByRole('alertdialog').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('alertdialog').waitFor({ state: 'detached' });
    await eventually(focused).toBe('api');
    await page.keyboard.press('Delete');
    await page.getByRole('button', { name: 'Remove', exact: true }).click();
    // The row is gone; its neighbour has the focus.
    await eventually(focused).toBe('migrate');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'migrate' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Containers' }).waitFor();
  });

  it('draws few of many rows, and keeps the focus on rows far away', async () => {
    await using opened = await open({ set: (world) => manyContainers(world, 1_000) });
    const { page } = opened;
    await page.getByRole('row', { name: 'worker-0', exact: true }).focus();
    await page.keyboard.press('End');
    await eventually(() => page.locator(':focus').getAttribute('aria-label')).toBe('worker-999');
    await eventually(() => page.getByRole('row', { name: 'worker-999' }).isVisible()).toBe(true);
    await eventually(() => page.getByRole('row').count()).toBeLessThan(60);
    expect(await page.getByRole('grid').getAttribute('aria-rowcount')).toBe('1001');
    await page.getByText('Only running').click();
    await eventually(() => page.getByRole('grid').getAttribute('aria-rowcount')).toBe('801');
  });

  it('is loading, then live, then stale, and never quietly empty', async () => {
    await using opened = await open({
      set: (world) => {
        world.machines.set(machineRow());
        world.engines.set({ machine: 'default', state: 'connecting', since: Date.now() });
      },
    });
    const { page, world } = opened;
    await page.getByRole('status', { name: 'Loading containers' }).waitFor();

    const error = { code: 'engine-unreachable' as const, message: 'connection refused' };
    world.engines.set({ machine: 'default', state: 'failed', since: Date.now(), retryAt: Date.now() + 60_000, error });
    await page.getByRole('alert').getByText('connection refused').waitFor();
    await page.getByRole('button', { name: 'Try again' }).click();
    await eventually(() => world.asked).toEqual(['reconnect default']);

    workingDay(world);
    await page.getByRole('row', { name: 'web' }).waitFor();
    world.engines.set({
      machine: 'default',
      state: 'stale',
      since: Date.now() - 120_000,
      retryAt: Date.now() + 60_000,
      error,
    });
    await page.getByText('Showing what was known 2 min ago.').waitFor();
    await page.getByRole('row', { name: 'web' }).waitFor();
    await eventually(() => page.getByRole('button', { name: 'Stop: web' }).isDisabled()).toBe(true);

    for (const container of world.containers.values()) world.containers.delete(container);
    world.engineReady();
    await page.getByRole('heading', { name: 'No containers yet' }).waitFor();
  });

  it('says that the machine is stopped, and starts it', async () => {
    await using opened = await open({
      set: (world) => {
        world.machines.set(machineRow({ state: 'stopped' }));
        world.engines.set({ machine: 'default', state: 'off' });
      },
    });
    const { page, world } = opened;
    await page.getByRole('button', { name: 'Start the machine' }).click();
    await eventually(() => world.asked).toEqual(['ensureRunning default']);
  });

  it('leads published ports to localhost and names those that are taken', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world } = opened;
    const link = page.getByRole('row', { name: 'web', exact: true }).getByRole('link', { name: 'localhost:8080' });
    expect(await link.getAttribute('href')).toBe('http://localhost:8080');
    expect(await link.getAttribute('rel')).toContain('noreferrer');
    await page.getByRole('button', { name: '7 ports on localhost, 1 port not open' }).click();
    await page.getByText('Port 6379 is in use on this computer.').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('row', { name: 'cache' }).getByText('cache').click();
    await page.getByRole('complementary').getByText('Port 6379 is in use on this computer.').waitFor();
    world.containers.delete(named(world, 'cache'));
    await page.getByRole('heading', { name: 'This container is gone' }).waitFor();
  });
});
