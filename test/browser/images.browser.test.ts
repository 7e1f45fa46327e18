import { expect, it } from 'vitest';
import { DesktopError } from '../../desktop/contract/errors.ts';
import { chromiumSuite, eventually } from './chromium-suite.ts';
import { pullLayer } from './fixture-rows.ts';
import { emptyMachine, imageDay } from './scenes.ts';

chromiumSuite('images', (open) => {
  it('lists them with size and users, searches and filters', async () => {
    await using opened = await open({ set: imageDay });
    const { page, visit } = opened;
    await visit('#/images');
    const row = page.getByRole('row', { name: 'nginx:1.29-alpine' });
    await row.getByText('1 container').waitFor();
    await row.getByText('49.6 MB').waitFor();
    await page.getByRole('searchbox').fill('shop');
    await eventually(() => page.getByRole('row').count()).toBe(3);
    await page.getByRole('searchbox').fill('');
    await page.getByText('Only unused').click();
    await eventually(() => page.getByRole('row').count()).toBe(2);
  });

  it('pulls one, shows each layer on its way, and can be cancelled', async () => {
    await using opened = await open({ set: emptyMachine });
    const { page, world, visit } = opened;
    await visit('#/images');
    await page.getByRole('heading', { name: 'No images yet' }).waitFor();
    await page.getByRole('button', { name: 'Pull …' }).click();
    await page.getByRole('textbox', { name: 'Image' }).fill('postgres:18');
    await page.getByText('docker pull postgres:18').waitFor();
    await page.getByRole('button', { name: 'Pull', exact: true }).click();
    const card = page.getByRole('region', { name: 'Pulling postgres:18' });
    await card.getByText('Asking the registry').waitFor();
    const [pull] = world.pulls.values();
    if (pull === undefined) throw new Error('nothing was pulled');
    const layers = [pullLayer('aaaa', 'Pull complete'), pullLayer('bbbb', 'Downloading', 1024, 4096)];
    world.pulls.set({ ...pull, layers, fraction: 0.5625 });
    await card.getByText('1 of 2 layers done').waitFor();
    await card.getByText('1 KB of 4 KB').waitFor();
    expect(await card.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('56');
    await card.getByRole('button', { name: 'Cancel' }).click();
    await page.getByText('The pull of postgres:18 was cancelled').waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await eventually(() => page.getByText('was cancelled').count()).toBe(0);
  });

  it('says why a pull failed, and tries again', async () => {
    await using opened = await open({ set: imageDay });
    const { page, world, visit } = opened;
    await visit('#/images');
    await page.getByRole('row', { name: 'postgres:18' }).waitFor();
    const error = { code: 'engine-refused' as const, message: 'toomanyrequests: try again in an hour' };
    world.pulls.set({
      id: 'pull-9',
      machine: 'default',
      reference: 'redis:8',
      state: 'failed',
      status: null,
      layers: [],
      fraction: null,
      startedAt: Date.now(),
      error,
    });
    const failure = page.getByRole('alert').filter({ hasText: 'redis:8 could not be pulled' });
    await failure.getByText('try again in an hour').waitFor();
    await failure.getByRole('button', { name: 'Try again' }).click();
    await eventually(() => world.asked).toEqual(['pull redis:8']);
    await failure.waitFor({ state: 'detached' });
  });

  it('asks before it removes, does not remove what is used, and says when the engine refuses', async () => {
    await using opened = await open({ set: imageDay });
    const { page, world, visit } = opened;
    await visit('#/images');
    await page.getByRole('button', { name: 'Remove …: nginx:1.29-alpine' }).click();
    const used = page.getByRole('alertdialog', { name: 'Remove nginx:1.29-alpine?' });
    await used.getByText('1 container uses it').waitFor();
    expect(await used.getByRole('button', { name: 'Remove', exact: true }).isDisabled()).toBe(true);
    await page.keyboard.press('Escape');
    const fail = world.hold('remove');
    await page.getByRole('button', { name: 'Remove unused …' }).click();
    await page.getByRole('alertdialog').getByRole('button', { name: 'Remove 1 image' }).click();
    fail(new DesktopError('conflict', 'image is being used by a stopped container'));
    await page.getByText('image is being used by a stopped container').waitFor();
  });

  it('shows the layers of an image and the files in them, by keyboard too', async () => {
    await using opened = await open({ set: imageDay });
    const { page, visit } = opened;
    await visit('#/images');
    await page.getByRole('link', { name: 'registry.example.org/shop/api:2026.11.3' }).click();
    const layers = page.getByRole('radiogroup', { name: 'Layers, the newest first' });
    await layers.getByText('RUN npm run build').waitFor();
    await layers.getByText('18.1 MB not seen any more').waitFor();
    await page.getByRole('row', { name: 'app' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.getByRole('row', { name: 'package.json' }).getByText('changed').waitFor();
    await page.keyboard.press('ArrowRight');
    await eventually(() =>
      page.getByRole('row', { name: 'dist' }).evaluate((row) => row === row.ownerDocument.activeElement),
    ).toBe(true);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await eventually(() => page.getByRole('row', { name: 'package.json' }).count()).toBe(0);
    await layers.getByText('COPY . /app').click();
    await page.getByRole('row', { name: 'app' }).waitFor();
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: 'Make one layer …' }).click();
    await page.getByRole('textbox', { name: 'Name' }).fill('shop/api:flat');
    await page.getByRole('button', { name: 'Make one layer' }).click();
    await page.keyboard.press('Escape');
    await page.getByRole('row', { name: 'shop/api:flat' }).waitFor();
  });
});
