/**
 * Pictures of the page in its main states, for the README and to look at after a change of its looks:
 *
 *     node test/browser/take-screenshots.ts [folder] [name...]
 *
 * Each as `name-theme-width.png`. The world is the fixture's; the page, the wire and Chromium are real.
 */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DesktopError } from '../../desktop/contract/errors.ts';
import { startDesktopServer } from '../../desktop/server/desktop-server.ts';
import { buildRenderer, launchChromium } from './chromium.ts';
import { containerRow, firstRunSteps, machineRow, operationRow, pullLayer, pullRow } from './fixture-rows.ts';
import { FixtureWorld } from './fixture-world.ts';
import { machinePictures } from './machine-pictures.ts';
import type { Picture } from './picture.ts';
import { bootLines, emptyMachine, imageDay, named, workingDay } from './scenes.ts';

const [folder = 'dist/screenshots', ...wanted] = process.argv.slice(2);
const sizes = [
  { width: 1280, height: 800 },
  { width: 1024, height: 700 },
];

function webLog(world: FixtureWorld): { readonly machine: string; readonly id: string } {
  workingDay(world);
  const web = named(world, 'web');
  const start = Date.now() - 180_000;
  const paths = ['/', '/cart', '/api/products?page=2', '/api/cart/9e1f', '/assets/app.3f9c.js', '/healthz'];
  world.write(web, '/docker-entrypoint.sh: Configuration complete; ready for start up', 'stdout', new Date(start));
  for (let line = 0; line < 400; line += 1) {
    const at = new Date(start + line * 430);
    const path = paths[(line * 7) % paths.length];
    const status =
      line % 23 === 11
        ? '\u001b[31m502\u001b[0m'
        : line % 9 === 4
          ? '\u001b[33m304\u001b[0m'
          : '\u001b[32m200\u001b[0m';
    if (line % 23 === 11)
      world.write(
        web,
        `upstream timed out (110: Connection timed out) while connecting to upstream, client: 172.17.0.1, server: shop, request: "GET ${path}", upstream: "http://172.17.0.4:3000${path}"`,
        'stderr',
        at,
      );
    world.write(
      web,
      `\u001b[2m172.17.0.1\u001b[0m GET \u001b[1m${path}\u001b[0m ${status} ${120 + ((line * 37) % 900)} B ${(line * 13) % 40} ms`,
      'stdout',
      at,
    );
  }
  return web;
}

const scenes: readonly Picture[] = [
  { name: 'welcome', set: () => {} },
  {
    name: 'first-run',
    set: (world) => {
      world.machines.set(
        machineRow({ state: 'creating', dockerHost: null, operation: operationRow({ steps: firstRunSteps(3) }) }),
      );
    },
  },
  {
    name: 'first-run-details',
    set: (world) => {
      bootLines(world);
      world.machines.set(
        machineRow({ state: 'creating', dockerHost: null, operation: operationRow({ steps: firstRunSteps(3) }) }),
      );
    },
    act: async (page) => {
      await page.getByText('Details').click();
      await page.getByText('ssh is listening').waitFor();
    },
  },
  {
    name: 'first-run-failed',
    set: (world) => {
      const steps = firstRunSteps(2).map((step) =>
        step.state === 'running'
          ? { ...step, state: 'failed' as const, elapsedMs: 60_000, detail: 'No sign of life on the console for 60 s.' }
          : step,
      );
      const error = {
        code: 'boot-failed' as const,
        message:
          'The machine did not start within 60 s: its console stayed silent. Skiff will use plain emulation at the next try, which is slower and works everywhere.',
      };
      world.machines.set(
        machineRow({
          state: 'create-failed',
          error: error.message,
          operation: operationRow({ state: 'failed', steps, error }),
        }),
      );
    },
  },
  { name: 'containers', set: workingDay },
  {
    name: 'images',
    hash: '#/images',
    set: (world) => {
      imageDay(world);
      world.pulls.set(
        pullRow({
          reference: 'node:24',
          fraction: 0.58,
          layers: [
            pullLayer('c1a7f0d36e1b', 'Already exists'),
            pullLayer('7be44ab0d0f2', 'Pull complete'),
            pullLayer('3f0a14e1c0b9', 'Extracting', 21_000_000, 48_000_000),
            pullLayer('90d6bd1ee1aa', 'Downloading', 71_000_000, 211_000_000),
            pullLayer('5b1ab0c3a0c1', 'Waiting'),
          ],
        }),
      );
    },
  },
  {
    name: 'images-clean-up',
    hash: '#/images',
    set: imageDay,
    act: async (page) => {
      await page.getByRole('button', { name: 'Remove unused …' }).click();
      await page.getByRole('alertdialog').waitFor();
    },
  },
  {
    name: 'image',
    hash: '#/images',
    set: imageDay,
    act: async (page) => {
      await page.getByRole('link', { name: 'registry.example.org/shop/api:2026.11.3' }).click();
      await page.getByRole('row', { name: 'app' }).click();
      await page.getByText('package.json').waitFor();
    },
  },
  {
    name: 'containers-busy',
    set: workingDay,
    act: async (page, world) => {
      world.hold('stop');
      const fail = world.hold('start');
      await page.getByRole('button', { name: 'Stop: api' }).click();
      await page.getByRole('button', { name: 'Start: migrate' }).click();
      fail(
        new DesktopError(
          'engine-refused',
          'driver failed programming external connectivity: port 5432 is already allocated',
        ),
      );
      await page.getByText('could not be started').waitFor();
      await page.getByRole('row', { name: 'postgres' }).focus();
      await page.keyboard.press('j');
    },
  },
  {
    name: 'containers-many',
    set: (world) => {
      workingDay(world);
      for (let box = 0; box < 200; box += 1)
        world.containers.set(containerRow({ name: `worker-${box}`, state: box % 5 === 0 ? 'exited' : 'running' }));
    },
  },
  {
    name: 'containers-empty',
    set: emptyMachine,
  },
  {
    name: 'containers-off',
    set: (world) => {
      world.machines.set(machineRow({ state: 'stopped' }));
      world.engines.set({ machine: 'default', state: 'off' });
    },
  },
  {
    name: 'containers-failed',
    set: (world) => {
      world.machines.set(machineRow());
      world.engines.set({
        machine: 'default',
        state: 'failed',
        since: Date.now(),
        retryAt: Date.now() + 9_000,
        error: {
          code: 'engine-unreachable',
          message: 'The engine in “default” does not answer: connection refused at its socket.',
        },
      });
    },
  },
  {
    name: 'containers-stale',
    set: workingDay,
    act: async (page, world) => {
      await page.getByText('nightly-report').waitFor();
      world.engines.set({
        machine: 'default',
        state: 'stale',
        since: Date.now() - 95_000,
        retryAt: Date.now() + 4_000,
        error: { code: 'engine-unreachable', message: 'The machine went to sleep.' },
      });
      await page.getByText('Showing what was known').waitFor();
    },
  },
  {
    name: 'run',
    set: workingDay,
    act: async (page) => {
      await page.getByRole('button', { name: 'Run …' }).click();
      await page.getByRole('textbox', { name: 'Image' }).fill('nginx:1.29-alpine');
      await page.getByRole('textbox', { name: 'Ports' }).fill('8081:80 70000:1');
      await page.getByRole('textbox', { name: 'Name' }).fill('second-web');
      await page.getByRole('textbox', { name: 'Environment' }).fill('MODE=production');
    },
  },
  {
    name: 'remove',
    set: workingDay,
    act: async (page) => {
      await page.getByRole('button', { name: 'Remove …: postgres' }).click();
      await page.getByText('postgres-data').waitFor();
    },
  },
  {
    name: 'log',
    set: (world) => void webLog(world),
    act: async (page, world) => {
      const web = named(world, 'web');
      await page.goto(`${page.url().split('#')[0]}#/containers/default/${web.id}`);
      await page.getByText('lines').waitFor();
      await page.getByText('172.17.0.5').waitFor();
    },
  },
  {
    name: 'log-scrolled',
    set: (world) => void webLog(world),
    act: async (page, world) => {
      const web = named(world, 'web');
      await page.goto(`${page.url().split('#')[0]}#/containers/default/${web.id}`);
      await page.getByText('lines').waitFor();
      await page.getByRole('button', { name: 'Show times' }).click();
      await page.getByRole('log').hover();
      await page.mouse.wheel(0, -1_500);
      await page.getByRole('button', { name: 'Jump to newest' }).waitFor();
    },
  },
  ...machinePictures,
];

await mkdir(folder, { recursive: true });
await using renderer = await buildRenderer();
const browser = await launchChromium();
try {
  for (const scene of scenes) {
    if (wanted.length > 0 && !wanted.includes(scene.name)) continue;
    for (const theme of ['light', 'dark'] as const) {
      for (const viewport of sizes) {
        const world = new FixtureWorld();
        scene.set(world);
        await using server = await startDesktopServer({
          services: world.services,
          rendererDir: renderer.dir,
          report: (fault) => console.log(`${scene.name}: ${fault.message}`, fault.cause),
        });
        const context = await browser.newContext({ viewport, colorScheme: theme, reducedMotion: 'reduce' });
        const page = await context.newPage();
        page.on('console', (message) => {
          if (message.type() === 'error' || message.type() === 'warning')
            console.log(`${scene.name}: ${message.text()}`);
        });
        page.on('pageerror', (error) => console.log(`${scene.name}: ${error.message}`));
        await page.goto(server.url);
        if (scene.hash) await page.goto(`${server.origin}/${scene.hash}`);
        await page.locator('main').waitFor();
        await page.locator('main.splash').waitFor({ state: 'detached' });
        await scene.act?.(page, world);
        await page.screenshot({ path: join(folder, `${scene.name}-${theme}-${viewport.width}.png`) });
        await context.close();
      }
    }
  }
} finally {
  await browser.close();
}
