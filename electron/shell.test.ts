import { describe, expect, it } from 'vitest';
import { eventually } from '../test/eventually.ts';
import { openDesktopCore, type DesktopCore } from '../test/peers/desktop-core.ts';
import type { Clock } from '../desktop/services/clock.ts';
import { contract, type DesktopClient } from '../desktop/contract/contract.ts';
import type { TrayCommand, TrayItem, TrayState } from '../desktop/services/tray-menu.ts';
import { connect } from '../desktop/wire/connect.ts';
import { mainPortLink } from '../desktop/wire/message-port-link.ts';
import { CoreHost } from './core-host.ts';
import { formatCoreSettings, parseCoreSettings } from './core-settings.ts';
import { fakeChannel, FakeUtilityProcess, FakeWindow } from './electron.fake.ts';
import { handPort, portChannel } from './port-channel.ts';
import { endsWithLastWindow, opensAtStart, wantedMachine } from './life-rules.ts';
import { serveCore } from './serve-core.ts';
import { menuTemplate, TrayIcon } from './tray.ts';
import { TrayClient } from './tray-client.ts';
import { AppWindow, windowOptions } from './window.ts';

/** Pauses last until the test ends them. */
class HeldClock implements Clock {
  readonly pauses: { readonly ms: number; readonly end: () => void }[] = [];
  now = (): number => 0;

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.pauses.push({ ms, end: resolve });
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

/** The app's shell around a real core, without Electron. */
class Shell implements AsyncDisposable {
  readonly processes: FakeUtilityProcess[] = [];
  readonly faults: string[] = [];
  readonly clock = new HeldClock();
  readonly desktop: DesktopCore;
  readonly host: CoreHost;
  exits = 0;

  constructor(desktop: DesktopCore) {
    this.desktop = desktop;
    const report = (fault: Error): void => void this.faults.push(fault.message);
    this.host = new CoreHost({
      clock: this.clock,
      report,
      newChannel: fakeChannel,
      fork: () => {
        const child = new FakeUtilityProcess();
        this.processes.push(child);
        const exit = (): void => {
          this.exits += 1;
          child.exit(0);
        };
        serveCore({ desktop: desktop.core, parent: child.core, report, exit });
        return child.main;
      },
    });
  }

  static async open(): Promise<Shell> {
    return new Shell(await openDesktopCore({ prepare: (machines) => machines.add('default') }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.host.close();
    await this.desktop[Symbol.asyncDispose]();
  }
}

/** A page that uses the port that it was handed last. */
function pageOf(window: FakeWindow): { client: DesktopClient; close(): void; closed: Promise<string> } {
  const port = window.ports.at(-1);
  if (!port) throw new Error('the page has no port');
  return connect({ contract, link: mainPortLink(port), checkOutputs: true });
}

describe('the window', () => {
  it('has a page without Node, isolated and sandboxed, with every guard of the browser on', () => {
    expect(windowOptions('/preload.cjs').webPreferences).toEqual({
      preload: '/preload.cjs',
      contextIsolation: true,
      sandbox: true,
      nodeIntegration: false,
      nodeIntegrationInSubFrames: false,
      nodeIntegrationInWorker: false,
      webSecurity: true,
      allowRunningInsecureContent: false,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: false,
    });
    expect(windowOptions('/preload.cjs').show).toBe(false);
  });

  it('gives its page a port to the core when it is loaded, a new one when it is reloaded, and goes with it', async () => {
    await using shell = await Shell.open();
    const fake = new FakeWindow();
    const report = (fault: Error): void => void shell.faults.push(fault.message);
    const window = new AppWindow({ create: () => fake.window, core: shell.host, report });
    window.show();
    expect(fake.calls).toEqual(['load skiff://app/']);
    fake.events.emit('ready-to-show');
    fake.contentsEvents.emit('did-finish-load');
    expect(fake.calls).toEqual(['load skiff://app/', 'show', `post ${portChannel}`]);
    const page = pageOf(fake);
    expect(await page.client.app.info()).toMatchObject({ defaultMachine: 'default' });
    page.close();
    fake.contentsEvents.emit('did-finish-load');
    const reloaded = pageOf(fake);
    await reloaded.client.app.info();
    expect(fake.ports).toHaveLength(2);
    fake.isMinimized = true;
    window.show();
    expect(fake.calls.slice(-3)).toEqual(['restore', 'show', 'focus']);
    fake.close();
    expect(window.isOpen).toBe(false);
    reloaded.close();
    expect(shell.faults).toEqual([]);
  });

  it('gives a port to our page in the top frame alone', () => {
    const window = new FakeWindow();
    const frame = (change: object): Parameters<typeof handPort>[0] => ({
      url: 'skiff://app/',
      parent: null,
      postMessage: (...args) => window.frame.postMessage(...args),
      ...change,
    });
    expect(handPort(frame({ url: 'https://example.com/' }), fakeChannel().port1)).toBe(false);
    expect(handPort(frame({ url: 'skiff://app.evil/' }), fakeChannel().port1)).toBe(false);
    expect(handPort(frame({ parent: window.frame }), fakeChannel().port1)).toBe(false);
    expect(window.ports).toEqual([]);
    expect(handPort(frame({}), fakeChannel().port1)).toBe(true);
    expect(window.ports).toHaveLength(1);
  });
});

describe('the core in its own process', () => {
  it('gives a page that ended its link another, after a pause', async () => {
    await using shell = await Shell.open();
    const fake = new FakeWindow();
    new AppWindow({ create: () => fake.window, core: shell.host, report: () => {} }).show();
    fake.contentsEvents.emit('did-finish-load');
    const first = pageOf(fake);
    await first.client.app.info();
    first.close();
    await eventually(() => shell.clock.pauses.map(({ ms }) => ms)).toEqual([250]);
    shell.clock.pauses[0]?.end();
    await eventually(() => fake.ports.length).toBe(2);
    const second = pageOf(fake);
    expect(await second.client.app.info()).toMatchObject({ version: '0.0.0-test' });
    second.close();
  });

  it('is started again when it dies, and everybody gets a new port', async () => {
    await using shell = await Shell.open();
    const fake = new FakeWindow();
    new AppWindow({ create: () => fake.window, core: shell.host, report: () => {} }).show();
    fake.contentsEvents.emit('did-finish-load');
    shell.processes[0]?.exit(9);
    expect(shell.faults).toEqual(['the core ended by itself (exit code 9); it is started again']);
    shell.clock.pauses[0]?.end();
    await eventually(() => shell.processes.length).toBe(2);
    const page = pageOf(fake);
    expect(fake.ports).toHaveLength(2);
    await page.client.app.info();
    page.close();
  });

  it('is asked to close, and ended by force when it does not', async () => {
    const shell = await Shell.open();
    await shell.host.close();
    expect(shell.processes[0]?.sent.at(-1)).toEqual({ kind: 'close' });
    expect([shell.exits, shell.processes[0]?.wasKilled]).toEqual([1, false]);
    await shell.desktop[Symbol.asyncDispose]();

    const stuck = new FakeUtilityProcess();
    const clock = new HeldClock();
    const host = new CoreHost({ fork: () => stuck.main, newChannel: fakeChannel, clock, report: () => {} });
    const closed = host.close();
    clock.pauses[0]?.end();
    await closed;
    expect(stuck.wasKilled).toBe(true);
  });

  it('reads the settings that it was started with, and refuses to start with none', () => {
    const settings = { version: '1.2.3', hasTray: true, machine: wantedMachine([]), provisioning: {} };
    expect(parseCoreSettings(formatCoreSettings(settings))).toEqual(settings);
    expect(() => parseCoreSettings(undefined)).toThrow('started by the app');
    expect(() => parseCoreSettings('{}')).toThrow('started by the app');
  });
});

describe('the tray', () => {
  const items: TrayItem[] = [
    { kind: 'label', text: 'Rock & Roll' },
    { kind: 'separator' },
    { kind: 'submenu', text: 'more', items: [{ kind: 'action', text: 'Quit', command: { do: 'quit' } }] },
  ];

  it('draws the items as a menu, whose clicks are commands', () => {
    const commands: TrayCommand[] = [];
    const template = menuTemplate(items, (command) => commands.push(command));
    expect(template).toMatchObject([
      { label: 'Rock && Roll', enabled: false },
      { type: 'separator' },
      { label: 'more', submenu: [{ label: 'Quit' }] },
    ]);
    const [entry] = template[2]?.submenu as { click(): void }[];
    entry?.click();
    expect(commands).toEqual([{ do: 'quit' }]);
  });

  it('is redrawn at once, then once a second, and not when nothing has changed', async () => {
    const clock = new HeldClock();
    const tips: string[] = [];
    const icon = new TrayIcon({
      tray: { setContextMenu: () => {}, setImage: () => {}, setToolTip: (tip) => void tips.push(tip) },
      buildMenu: () => null,
      imageFor: (mood) => mood,
      run: () => {},
      clock,
      signal: new AbortController().signal,
    });
    const state: TrayState = { machines: [], connections: [], containers: [], tasks: [] };
    const busy = {
      id: 't',
      title: 'Loading',
      machine: null,
      state: 'running',
      detail: null,
      startedAt: 0,
      error: null,
    };
    const loading = (fraction: number): TrayState => ({ ...state, tasks: [{ ...busy, state: 'running', fraction }] });
    icon.show(state);
    expect(tips).toHaveLength(1);
    for (let n = 0; n < 50; n += 1) icon.show(loading(n / 50));
    expect(tips).toHaveLength(1);
    clock.pauses.at(-1)?.end();
    await eventually(() => tips.length).toBe(2);
    icon.show(loading(49 / 50));
    clock.pauses.at(-1)?.end();
    await eventually(() => clock.pauses.length).toBe(3);
    expect(tips).toHaveLength(2);
  });

  it('shows what the core knows and carries commands out through it', async () => {
    await using shell = await Shell.open();
    const done: string[] = [];
    const failures: string[] = [];
    let state: TrayState = { machines: [], connections: [], containers: [], tasks: [] };
    const tray = new TrayClient({
      onState: (next) => void (state = next),
      onFailure: (message) => failures.push(message),
      report: (fault) => shell.faults.push(fault.message),
      shell: {
        open: () => done.push('open'),
        quit: () => done.push('quit'),
        openAddress: (url) => done.push(url),
      },
    });
    shell.host.join(tray);
    await eventually(() => state.connections[0]?.state).toBe('ready');
    const { id } = shell.desktop.engine.state.create({ Image: 'hello', Cmd: ['sleep', '1000'] }, 'box');
    await tray.run({ do: 'start-container', machine: 'default', id });
    await eventually(() => state.containers.map(({ name, state: now }) => `${name} ${now}`)).toEqual(['box running']);
    await tray.run({ do: 'stop-machine', machine: 'default' });
    await eventually(() => state.machines[0]?.state).toBe('stopped');
    await eventually(() => state.containers).toEqual([]);
    await tray.run({ do: 'start-container', machine: 'default', id });
    expect(failures).toEqual([expect.stringContaining('not running')]);
    await tray.run({ do: 'open' });
    await tray.run({ do: 'open-address', url: 'http://localhost:8080/' });
    expect(done).toEqual(['open', 'http://localhost:8080/']);
    expect(shell.faults).toEqual([]);
    shell.host.leave(tray);
  });
});

it('ends with its last window only where nothing could bring it back', () => {
  const cases = (['linux', 'win32', 'darwin'] as const).flatMap((platform) =>
    [true, false].map((hasTray) => [platform, hasTray, endsWithLastWindow({ platform, hasTray })]),
  );
  expect(cases).toEqual([
    ['linux', true, false],
    ['linux', false, true],
    ['win32', true, false],
    ['win32', false, true],
    ['darwin', true, false],
    ['darwin', false, false],
  ]);
  expect([opensAtStart(['skiff']), opensAtStart(['skiff', '--hidden'])]).toEqual([true, false]);
  expect(wantedMachine(['skiff'])).toEqual({ name: 'default', driver: null, isPrepared: true });
  expect(wantedMachine(['skiff', '--machine=two', '--driver=qemu', '--no-machine'])).toEqual({
    name: 'two',
    driver: 'qemu',
    isPrepared: false,
  });
});
