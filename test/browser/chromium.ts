import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser } from 'playwright-core';

/** A real Chromium to drive: the one that `SKIFF_CHROMIUM` names, else one from the usual places. */
const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** Null when this computer has none: browser suites are skipped then, with `chromiumLacking` as the reason. */
export function findChromium(): string | null {
  const named = process.env['SKIFF_CHROMIUM'];
  return [...(named ? [named] : []), ...places].find((place) => existsSync(place)) ?? null;
}

export const chromiumLacking = 'needs Chromium: install it, or name it in SKIFF_CHROMIUM';

/** Quiet: no first-run pages, no calls home. Root cannot use Chromium's sandbox. */
const args = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

export function launchChromium(): Promise<Browser> {
  const executablePath = findChromium();
  if (executablePath === null) throw new Error(chromiumLacking);
  return chromium.launch({ executablePath, args, headless: true, timeout: 60_000 });
}

/** Builds the page into a folder of its own, so that runs at once do not share one. */
export async function buildRenderer(): Promise<AsyncDisposable & { readonly dir: string }> {
  const { build } = await import('vite');
  const dir = await mkdtemp(join(tmpdir(), 'skiff-renderer-'));
  const configFile = fileURLToPath(new URL('../../renderer/vite.config.ts', import.meta.url));
  await build({ configFile, logLevel: 'warn', build: { outDir: dir, emptyOutDir: true } });
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}
