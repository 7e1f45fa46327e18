/**
 * The few calls of Electron that this room makes, by hand: enough to run window, tray, ports and guards without it. Each is
 * held to the part of electron.d.ts that it stands for, so a change there breaks the build and not the app.
 */
import { EventEmitter } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type {
  BrowserWindow,
  MessageChannelMain,
  MessagePortMain,
  ParentPort,
  UtilityProcess,
  WebContents,
  WebFrameMain,
} from 'electron';

/** What a fake lacks of the real thing is never called by us; the compiler checks the part that it has. */
function standIn<T, K extends keyof T>(part: Pick<T, K>): T {
  return part as T;
}

type Listener = (...args: unknown[]) => void;

/** `on` or `once` of something of Electron's, whose many overloads differ in the names of their events alone. */
function listening<F>(add: (name: string, listener: Listener) => void): F {
  return ((name: string, listener: Listener) => add(name, listener)) as F;
}

/** Electron's kind of port around Node's: listeners get an event. */
function fakePort(port: MessagePort): MessagePortMain {
  const events = new EventEmitter();
  port.on('message', (data: unknown) => events.emit('message', { data, ports: [] }));
  port.on('close', () => events.emit('close'));
  // Listening to a port keeps Node alive; whether a test is over is not the port's to decide.
  port.unref();
  return standIn<MessagePortMain, 'postMessage' | 'start' | 'close' | 'on'>({
    on: listening<MessagePortMain['on']>((name, listener) => events.on(name, listener)),
    postMessage: (message: unknown) => port.postMessage(message),
    start: () => port.start(),
    close: () => port.close(),
  });
}

export function fakeChannel(): MessageChannelMain {
  const { port1, port2 } = new MessageChannel();
  return { port1: fakePort(port1), port2: fakePort(port2) };
}

/** Both ends of a utility process: what main holds of it, and what the program in it holds of main. */
export class FakeUtilityProcess {
  readonly #toMain = new EventEmitter();
  readonly #toCore = new EventEmitter();
  readonly sent: unknown[] = [];
  wasKilled = false;

  readonly main: UtilityProcess = standIn<UtilityProcess, 'postMessage' | 'kill' | 'on'>({
    postMessage: (data: unknown, ports: MessagePortMain[] = []) => {
      this.sent.push(data);
      this.#toCore.emit('message', { data, ports });
    },
    kill: () => {
      this.wasKilled = true;
      this.exit(1);
      return true;
    },
    on: listening<UtilityProcess['on']>((name, listener) => this.#toMain.on(name, listener)),
  });

  readonly core: ParentPort = standIn<ParentPort, 'on' | 'postMessage'>({
    on: listening<ParentPort['on']>((name, listener) => this.#toCore.on(name, listener)),
    postMessage: (message: unknown) => this.#toMain.emit('message', message),
  });

  exit(code: number): void {
    this.#toMain.emit('exit', code);
  }
}

/** A window whose page is at `url` and keeps the ports that it is handed. */
export class FakeWindow {
  readonly events = new EventEmitter();
  readonly contentsEvents = new EventEmitter();
  readonly calls: string[] = [];
  readonly ports: MessagePortMain[] = [];
  url = 'skiff://app/';
  isMinimized = false;
  isDestroyed = false;

  readonly frame = standIn<WebFrameMain, 'postMessage' | 'url' | 'parent'>({
    url: this.url,
    parent: null,
    postMessage: (channel: string, _message: unknown, transfer: MessagePortMain[] = []) => {
      this.calls.push(`post ${channel}`);
      this.ports.push(...transfer);
    },
  });

  readonly window: BrowserWindow = standIn<
    BrowserWindow,
    'once' | 'show' | 'focus' | 'restore' | 'isMinimized' | 'isDestroyed' | 'loadURL' | 'webContents'
  >({
    once: listening<BrowserWindow['once']>((name, listener) => this.events.once(name, listener)),
    show: () => void this.calls.push('show'),
    focus: () => void this.calls.push('focus'),
    restore: () => void this.calls.push('restore'),
    isMinimized: () => this.isMinimized,
    isDestroyed: () => this.isDestroyed,
    loadURL: async (url: string) => void this.calls.push(`load ${url}`),
    webContents: standIn<WebContents, 'on' | 'mainFrame'>({
      mainFrame: this.frame,
      on: listening<WebContents['on']>((name, listener) => this.contentsEvents.on(name, listener)),
    }),
  });

  close(): void {
    this.isDestroyed = true;
    this.events.emit('closed');
  }
}
