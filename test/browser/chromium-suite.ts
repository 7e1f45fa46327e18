import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import type { DesktopServices } from '../../desktop/contract/contract.ts';
import { startDesktopServer, type DesktopServer } from '../../desktop/server/desktop-server.ts';
import { chromiumLacking, findChromium, launchChromium } from './chromium.ts';
import { FixtureWorld } from './fixture-world.ts';

/** One page on one world, through the product's own server. Disposing it asserts that nothing went wrong unseen. */
export interface OpenedPage extends AsyncDisposable {
  readonly page: Page;
  readonly world: FixtureWorld;
  readonly server: DesktopServer;
  /** Errors and warnings that the page wrote to its console, policy violations among them. */
  readonly complaints: readonly string[];
  /** Such complaints are what the test is about; the browser writes them when it comes to it. */
  expectComplaints(pattern: RegExp): void;
  /** Goes to an address within the page. */
  visit(hash: string): Promise<void>;
  /** Cuts the page's line and lets no new one through until the returned function is called. */
  cutLine(): () => void;
}

export interface OpenPageOptions {
  /** What the person's computer prefers. */
  readonly colorScheme?: 'light' | 'dark';
  /** What the person allowed the page, in the browser's words. */
  readonly permissions?: readonly string[];
  /** What there is before the page is opened. */
  readonly set?: (world: FixtureWorld) => void;
  /** What stands behind the page instead of the world. */
  readonly services?: DesktopServices;
}

export type OpenPage = (options?: OpenPageOptions) => Promise<OpenedPage>;

/** Asserts on what comes to be so: a busy computer is no reason to fail. */
export function eventually<T>(read: () => T) {
  return expect.poll(read, { timeout: 30_000 });
}

/**
 * A suite with one Chromium for all its tests, and the page that the run has built (built-page.ts); skipped with a printed reason without
 * Chromium. A test has a page and an origin of its own, but no profile: to make one takes most of what a page costs.
 */
export function chromiumSuite(title: string, body: (open: OpenPage) => void): void {
  if (findChromium() === null) {
    console.warn(`skipped: ${title}: ${chromiumLacking}`);
    describe.skip(`${title} (${chromiumLacking})`, () => body(() => Promise.reject(new Error(chromiumLacking))));
    return;
  }
  describe(title, () => {
    const resources = new AsyncDisposableStack();
    let context: BrowserContext;
    beforeAll(async () => {
      const browser = await launchChromium();
      resources.defer(() => browser.close());
      context = await newProfile(browser);
    });
    afterAll(() => resources.disposeAsync());
    body((options) => openPage({ context, rendererDir: inject('rendererDir'), ...options }));
  });
}

async function newProfile(browser: Browser): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
  context.setDefaultTimeout(30_000);
  // Pages of one host share a process, which ends with the last of them: an empty one keeps it for the next test.
  const keeper = await context.newPage();
  await keeper.route('**', (request) => request.fulfill({ body: '' }));
  await keeper.goto('http://127.0.0.1/');
  return context;
}

async function openPage(
  options: OpenPageOptions & { readonly context: BrowserContext; readonly rendererDir: string },
): Promise<OpenedPage> {
  const world = new FixtureWorld();
  const { context, rendererDir, set, services = world.services, colorScheme, permissions } = options;
  set?.(world);
  const faults: Error[] = [];
  const complaints: string[] = [];
  let expected: RegExp | null = null;
  const server = await startDesktopServer({
    services,
    rendererDir,
    report: (fault) => faults.push(fault),
  });
  if (permissions !== undefined) await context.grantPermissions([...permissions], { origin: server.origin });
  const page = await context.newPage();
  if (colorScheme !== undefined) await page.emulateMedia({ colorScheme });
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  const cut = await cuttableLine(page);
  await page.goto(server.url);
  await page.locator('main.splash').waitFor({ state: 'detached' });
  return {
    page,
    world,
    server,
    complaints,
    expectComplaints: (pattern) => void (expected = pattern),
    visit: async (hash) => {
      await page.goto(`${server.origin}/${hash}`);
    },
    cutLine: cut,
    async [Symbol.asyncDispose]() {
      await page.close();
      await context.clearCookies();
      await context.clearPermissions();
      await server.close();
      expect(complaints.filter((text) => expected?.test(text) !== true)).toEqual([]);
      expect(faults.map((fault) => [fault.message, fault.cause])).toEqual([]);
    },
  };
}

/** The network between page and server, which no test can unplug otherwise: the server stays as it is. */
async function cuttableLine(page: Page): Promise<() => () => void> {
  const lines = new Set<{ close: () => Promise<void> }>();
  let isCut = false;
  await page.routeWebSocket(/\/link$/, (line) => {
    if (isCut) return void line.close({ code: 4001 });
    line.connectToServer();
    lines.add(line);
  });
  return () => {
    isCut = true;
    for (const line of lines) void line.close();
    lines.clear();
    return () => (isCut = false);
  };
}
