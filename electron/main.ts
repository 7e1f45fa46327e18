/**
 * The app's main process: puts window, tray, protocol and core together, and holds no logic of its own. What can be decided
 * without Electron is decided in the modules beside this one, which are given what they need of it.
 */
import { join, resolve } from 'node:path';
import {
  app,
  BrowserWindow,
  dialog,
  Menu,
  MessageChannelMain,
  nativeImage,
  Notification,
  protocol,
  shell,
  Tray,
  utilityProcess,
} from 'electron';
import { PageFiles } from '../desktop/server/page-files.ts';
import { systemClock } from '../desktop/services/clock.ts';
import type { TrayMood } from '../desktop/services/tray-menu.ts';
import { appScheme, serveApp } from './app-protocol.ts';
import { CoreHost } from './core-host.ts';
import { formatCoreSettings, type CoreSettings } from './core-settings.ts';
import { endsWithLastWindow, opensAtStart, wantedMachine } from './life-rules.ts';
import { report } from './report.ts';
import { guardApp, type Outside } from './security.ts';
import { TrayIcon } from './tray.ts';
import { TrayClient } from './tray-client.ts';
import { AppWindow, windowOptions } from './window.ts';

/** This bundle is dist/electron/main.mjs; what it needs lies beside it and above it. */
const folder = import.meta.dirname;
const root = resolve(folder, '../..');
const hasTray = true;

function start(): void {
  // Before anything else is set up: the first instance is told, and this one is gone.
  if (!app.requestSingleInstanceLock()) {
    app.quit();
    return;
  }
  protocol.registerSchemesAsPrivileged([appScheme]);
  guardApp(app, outside());
  app.whenReady().then(run).catch(fail);
}

async function run(): Promise<void> {
  serveApp(protocol, await PageFiles.open(join(root, 'dist/renderer')));
  Menu.setApplicationMenu(applicationMenu());
  const stop = new AbortController();
  const core = new CoreHost({ fork: forkCore, newChannel: () => new MessageChannelMain(), clock: systemClock, report });
  const window = new AppWindow({
    create: () => new BrowserWindow(windowOptions(join(folder, 'preload.cjs'))),
    core,
    report,
  });
  const tray = hasTray ? openTray(window, stop.signal) : null;
  if (tray) core.join(tray);
  app.on('second-instance', () => window.show());
  app.on('activate', () => window.show());
  app.on('window-all-closed', () => {
    if (endsWithLastWindow({ hasTray, platform: process.platform })) app.quit();
  });
  app.on('before-quit', (event) => {
    if (stop.signal.aborted) return;
    // The core may be in the middle of something: it gets to a safe point first, then this is called once more.
    event.preventDefault();
    stop.abort();
    core.close().then(() => app.quit(), fail);
  });
  if (opensAtStart(process.argv)) window.show();
}

function forkCore(): ReturnType<typeof utilityProcess.fork> {
  const settings: CoreSettings = {
    version: app.getVersion(),
    hasTray,
    machine: wantedMachine(process.argv),
    provisioning: {
      engine: { kind: 'checkout', root },
      // Electron's own program may not be run as Node once its fuses are set, so the agent gets a real one.
      hostAgent: {
        command: join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node'),
        arguments: [join(root, 'provisioners/host-agent/main.ts')],
        environment: {},
      },
    },
  };
  return utilityProcess.fork(join(folder, 'core-process.mjs'), [formatCoreSettings(settings)], {
    serviceName: 'Skiff core',
    stdio: 'inherit',
  });
}

function openTray(window: AppWindow, signal: AbortSignal): TrayClient {
  const imageFor = (mood: TrayMood): Electron.NativeImage => {
    const image = nativeImage.createFromPath(join(root, `resources/icons/tray-${mood}.png`));
    // macOS colours such an image itself, to fit its menu bar.
    if (process.platform === 'darwin') image.setTemplateImage(true);
    return image;
  };
  const tray = new Tray(imageFor('idle'));
  const client: TrayClient = new TrayClient({
    onState: (state) => icon.show(state),
    onFailure: (body) => new Notification({ title: 'Skiff', body }).show(),
    report,
    shell: { open: () => window.show(), quit: () => app.quit(), openAddress: openInBrowser },
  });
  const icon = new TrayIcon({
    tray,
    buildMenu: (template) => Menu.buildFromTemplate(template),
    imageFor,
    run: (command) => void client.run(command),
    clock: systemClock,
    signal,
  });
  tray.on('double-click', () => window.show());
  signal.addEventListener('abort', () => tray.destroy());
  return client;
}

function outside(): Outside {
  return {
    open: openInBrowser,
    ask: (url) => {
      const question = {
        message: 'Open this address in your browser?',
        detail: url,
        buttons: ['Cancel', 'Open'],
        cancelId: 0,
      };
      dialog
        .showMessageBox({ type: 'question', defaultId: 0, ...question })
        .then(({ response }) => {
          if (response === 1) openInBrowser(url);
        })
        .catch(report);
    },
  };
}

function openInBrowser(url: string): void {
  shell.openExternal(url).catch((cause: unknown) => report(new Error(`${url} could not be opened`, { cause })));
}

/** Copy and paste work by the menu's shortcuts on macOS, and need no menu elsewhere. */
function applicationMenu(): Menu | null {
  if (process.platform !== 'darwin') return null;
  return Menu.buildFromTemplate([{ role: 'appMenu' }, { role: 'editMenu' }, { role: 'windowMenu' }]);
}

function fail(error: unknown): void {
  report(error);
  dialog.showErrorBox('Skiff cannot start', error instanceof Error ? error.message : String(error));
  app.exit(1);
}

start();
