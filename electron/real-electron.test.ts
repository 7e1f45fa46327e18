import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { _electron } from 'playwright-core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');

/** Electron's program where npm's package has brought it, or why it cannot be started here. */
function findElectron(): { readonly program: string } | { readonly lacking: string } {
  const folder = join(root, 'node_modules/electron');
  const name = existsSync(join(folder, 'path.txt')) ? readFileSync(join(folder, 'path.txt'), 'utf8').trim() : '';
  const program = join(folder, 'dist', name);
  if (name === '' || !existsSync(program)) return { lacking: "Electron's program is not installed" };
  if (process.platform === 'linux' && !process.env['DISPLAY'] && !process.env['WAYLAND_DISPLAY']) {
    return { lacking: 'there is no display' };
  }
  const isBuilt = ['electron/main.mjs', 'renderer/index.html'].every((file) => existsSync(join(root, 'dist', file)));
  return isBuilt ? { program } : { lacking: 'the app is not built: npm run build' };
}

const found = findElectron();
const title = 'the app in the real Electron';
if ('lacking' in found) {
  process.stderr.write(`skipped: ${title}: ${found.lacking}\n`);
  describe.skip(`${title} (${found.lacking})`, () => {
    it('starts', () => undefined);
  });
} else {
  describe(title, { timeout: 60_000 }, () => {
    let home: string;
    beforeEach(async () => {
      home = await mkdtemp(join(tmpdir(), 'skiff-electron-'));
    });
    afterEach(() => rm(home, { recursive: true }));

    it('shows its page, isolated, without Node, connected to the core', async () => {
      const app = await _electron.launch({
        executablePath: found.program,
        args: [join(root, 'dist/electron/main.mjs'), '--no-machine', `--user-data-dir=${join(home, 'user-data')}`],
        env: { ...process.env, SKIFF_HOME: join(home, 'skiff') },
      });
      try {
        const page = await app.firstWindow();
        expect(page.url()).toBe('skiff://app/');
        const reach = 'JSON.stringify([typeof require, typeof process, typeof ipcRenderer, window.origin])';
        expect(await page.evaluate(reach)).toBe(JSON.stringify(['undefined', 'undefined', 'undefined', 'skiff://app']));
        // What the page shows once its link is there and no machine is.
        await page.getByRole('main').waitFor();
      } finally {
        await app.close();
      }
    });
  });
}
