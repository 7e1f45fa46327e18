import { expect, it } from 'vitest';
import { chromiumSuite, eventually } from './chromium-suite.ts';
import { containerRow } from './fixture-rows.ts';
import { emptyMachine, named, workingDay } from './scenes.ts';

chromiumSuite('the page', (open) => {
  it('follows a log, holds still while one reads, and jumps to the newest', async () => {
    await using opened = await open({
      set: (world) => {
        workingDay(world);
        for (let line = 0; line < 2_000; line += 1) world.write(named(world, 'web'), `line ${line}`);
        world.write(named(world, 'web'), '\u001b[31mred alert\u001b[0m', 'stderr');
      },
    });
    const { page, world, visit } = opened;
    const web = named(world, 'web');
    await visit(`#/containers/default/${web.id}`);
    const log = page.getByRole('log');
    await log.getByText('red alert').waitFor();
    world.write(web, 'one more');
    await eventually(() => log.getByText('one more').isVisible()).toBe(true);

    await log.hover();
    await page.mouse.wheel(0, -3_000);
    const jump = page.getByRole('button', { name: 'Jump to newest' });
    await jump.waitFor();
    const place = (): Promise<number> => log.evaluate((element) => element.scrollTop);
    let before = Number.NaN;
    // A wheel's way takes some frames.
    await expect.poll(async () => before === (before = await place()), { interval: 250, timeout: 30_000 }).toBe(true);
    for (let line = 0; line < 500; line += 1) world.write(web, `later ${line}`);
    await page.getByText('2,502 lines').or(page.getByText('2502 lines')).waitFor();
    expect(await place()).toBe(before);
    await jump.click();
    await eventually(() => log.getByText('later 499').isVisible()).toBe(true);
  });

  it('takes a flood of lines, forgets the oldest and says so', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, visit } = opened;
    const web = named(world, 'web');
    await visit(`#/containers/default/${web.id}`);
    await page.getByText('Nothing written yet.').waitFor();
    // From here on the page follows; what was written before, it would ask for the tail of.
    world.write(web, 'begun');
    await page.getByRole('log').getByText('begun').waitFor();
    const text = 'x'.repeat(80);
    for (let line = 0; line < 60_000; line += 1) world.write(web, `${line} ${text}`);
    await page.getByText('older lines are not shown any more').waitFor({ timeout: 30_000 });
    await eventually(() => page.getByRole('log').getByText('59999 ').isVisible()).toBe(true);
  });

  it('says that the line is lost, keeps what is known, and is whole again afterwards', async () => {
    await using opened = await open({ set: workingDay });
    const { page, world, cutLine } = opened;
    await page.getByRole('row', { name: 'web' }).waitFor();
    const restore = cutLine();
    await page.getByText('The connection to Skiff is lost. Reconnecting …').waitFor();
    await page.getByRole('row', { name: 'web' }).waitFor();
    await eventually(() => page.getByRole('button', { name: 'Stop: web' }).isDisabled()).toBe(true);
    world.containers.set(containerRow({ name: 'made-meanwhile', createdAt: Date.now() }));
    world.containers.delete(named(world, 'try-it'));
    restore();
    await page.getByRole('row', { name: 'made-meanwhile' }).waitFor();
    await page.getByText('The connection to Skiff is lost.').waitFor({ state: 'detached' });
    await page.getByRole('row', { name: 'try-it' }).waitFor({ state: 'detached' });
    await eventually(() => page.getByRole('button', { name: 'Stop: web' }).isEnabled()).toBe(true);
  });

  it('says that its address is used up when the server does not know it any more', async () => {
    await using opened = await open({ set: workingDay });
    const { page } = opened;
    // What the browser itself writes about each refused try.
    opened.expectComplaints(/401|WebSocket/);
    await page.getByRole('row', { name: 'web' }).waitFor();
    await page.context().clearCookies();
    const restore = opened.cutLine();
    restore();
    await page.getByText('This page cannot reach Skiff any more').waitFor();
  });

  it('keeps the chosen appearance', async () => {
    await using opened = await open({ set: emptyMachine, colorScheme: 'light' });
    const { page } = opened;
    const background = (): Promise<unknown> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    const light = await background();
    await page.getByRole('radio', { name: 'Dark' }).check({ force: true });
    const dark = await background();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.getByRole('heading', { name: 'No containers yet' }).waitFor();
    expect(await background()).toBe(dark);
  });

  it('runs no script but its own files', async () => {
    await using opened = await open({ set: emptyMachine });
    const { page, complaints } = opened;
    opened.expectComplaints(/Content Security Policy|404/);
    const ran = await page.evaluate(`
      (() => {
        const script = document.createElement('script');
        script.textContent = 'window.injected = true';
        document.body.append(script);
        document.body.insertAdjacentHTML('beforeend', '<img src="x" onerror="window.injected = true">');
        return typeof window.injected;
      })()
    `);
    expect(ran).toBe('undefined');
    // The policy's word, and that of the picture which is not there: it comes when it comes.
    await eventually(() =>
      ['Content Security Policy', '404'].filter((word) => complaints.some((text) => text.includes(word))),
    ).toHaveLength(2);
    expect(await page.evaluate('typeof window.injected')).toBe('undefined');
  });
});
