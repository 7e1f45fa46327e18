/** The app's one window. Closing it destroys its page, which gives its memory back; showing it again makes a new one. */
import type { BrowserWindow, BrowserWindowConstructorOptions } from 'electron';
import type { CoreHost, PortTaker } from './core-host.ts';
import { pageUrl } from './page-address.ts';
import { handPort } from './port-channel.ts';

export function windowOptions(preload: string): BrowserWindowConstructorOptions {
  return {
    title: 'Skiff',
    width: 1280,
    height: 800,
    minWidth: 800,
    minHeight: 560,
    // Shown when its first frame is painted: no white flash.
    show: false,
    autoHideMenuBar: true,
    webPreferences: {
      preload,
      // The defaults of today, written down so that a test can hold on to them.
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
    },
  };
}

export interface AppWindowOptions {
  readonly create: () => BrowserWindow;
  /** Where the page's ports come from. */
  readonly core: Pick<CoreHost, 'join' | 'leave'>;
  readonly report: (fault: Error) => void;
}

export class AppWindow {
  readonly #options: AppWindowOptions;
  #window: BrowserWindow | null = null;

  constructor(options: AppWindowOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#window !== null;
  }

  /** Brings it to the front, making it first where there is none. */
  show(): void {
    if (!this.#window) {
      this.#open();
      return;
    }
    if (this.#window.isMinimized()) this.#window.restore();
    this.#window.show();
    this.#window.focus();
  }

  #open(): void {
    const { create, core, report } = this.#options;
    const window = create();
    this.#window = window;
    const page: PortTaker = {
      take: (port) => {
        if (window.isDestroyed()) port.close();
        else if (!handPort(window.webContents.mainFrame, port)) report(new Error('another page stands in the window'));
      },
    };
    window.once('ready-to-show', () => window.show());
    window.once('closed', () => {
      core.leave(page);
      this.#window = null;
    });
    // Only now does the page listen; and again after each reload, which ends the port that it had.
    window.webContents.on('did-finish-load', () => core.join(page));
    window.loadURL(pageUrl).catch((cause: unknown) => report(new Error('the page could not be loaded', { cause })));
  }
}
