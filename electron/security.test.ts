import { EventEmitter } from 'node:events';
import type { Session, WebContents } from 'electron';
import { describe, expect, it } from 'vitest';
import { decideExternal, guardApp, guardContents, type Outside } from './security.ts';

interface Navigation {
  readonly url: string;
  prevented: boolean;
  preventDefault(): void;
}

const navigation = (url: string): Navigation => ({
  url,
  prevented: false,
  preventDefault() {
    this.prevented = true;
  },
});

/** What the guards are set on, and what they were set to. */
class FakeContents {
  readonly events = new EventEmitter();
  readonly outside: string[] = [];
  openWindow: Parameters<WebContents['setWindowOpenHandler']>[0] = () => ({ action: 'allow' });
  request: Parameters<Session['setPermissionRequestHandler']>[0] = null;
  check: Parameters<Session['setPermissionCheckHandler']>[0] = null;
  device: Parameters<Session['setDevicePermissionHandler']>[0] = null;

  constructor() {
    const outside: Outside = {
      open: (url) => void this.outside.push(`open ${url}`),
      ask: (url) => void this.outside.push(`ask ${url}`),
    };
    const session: Pick<
      Session,
      'setPermissionRequestHandler' | 'setPermissionCheckHandler' | 'setDevicePermissionHandler'
    > = {
      setPermissionRequestHandler: (handler) => void (this.request = handler),
      setPermissionCheckHandler: (handler) => void (this.check = handler),
      setDevicePermissionHandler: (handler) => void (this.device = handler),
    };
    const contents = {
      on: (name: string, listener: (...args: unknown[]) => void) => this.events.on(name, listener),
      setWindowOpenHandler: (handler: typeof this.openWindow) => void (this.openWindow = handler),
      session,
    };
    guardContents(contents as unknown as WebContents, outside); // The members that guardContents names, and no others.
  }

  navigate(name: string, url: string): boolean {
    const event = navigation(url);
    this.events.emit(name, event);
    return !event.prevented;
  }
}

describe('a page in the app', () => {
  it('stays where it is', () => {
    const contents = new FakeContents();
    for (const name of ['will-navigate', 'will-frame-navigate', 'will-redirect']) {
      expect(contents.navigate(name, 'skiff://app/'), name).toBe(true);
      for (const url of ['https://example.com/', 'file:///etc/passwd', 'skiff://app.evil/', 'javascript:alert(1)']) {
        expect(contents.navigate(name, url), `${name} ${url}`).toBe(false);
      }
    }
    expect(contents.navigate('will-attach-webview', 'skiff://app/')).toBe(false);
  });

  it('opens no windows; web addresses go to the browser, strange ones after a question', () => {
    const contents = new FakeContents();
    const urls = ['http://localhost:8080/', 'https://example.com/', 'file:///etc/passwd', 'skiff://app/'];
    for (const url of urls) {
      const details = { url } as Parameters<typeof contents.openWindow>[0];
      expect(contents.openWindow(details)).toEqual({ action: 'deny' });
    }
    expect(contents.outside).toEqual(['open http://localhost:8080/', 'ask https://example.com/']);
  });

  it('is granted the clipboard for writing, to our page, and nothing else', () => {
    const contents = new FakeContents();
    const asks = (permission: string, requestingUrl: string): boolean | undefined => {
      let granted: boolean | undefined;
      const answer = (is: boolean): void => void (granted = is);
      const details = { requestingUrl, isMainFrame: true };
      Reflect.apply(contents.request ?? (() => {}), null, [null, permission, answer, details]);
      return granted;
    };
    const checks = (permission: string, origin: string): unknown =>
      Reflect.apply(contents.check ?? (() => {}), null, [null, permission, origin, {}]);
    for (const ask of [asks, checks]) {
      expect(ask('clipboard-sanitized-write', 'skiff://app/')).toBe(true);
      expect(ask('clipboard-sanitized-write', 'https://example.com/')).toBe(false);
      for (const permission of [
        'media',
        'geolocation',
        'notifications',
        'clipboard-read',
        'openExternal',
        'hid',
        'usb',
      ]) {
        expect(ask(permission, 'skiff://app/'), permission).toBe(false);
      }
    }
    expect(contents.device?.({ deviceType: 'usb', origin: 'skiff://app', device: {} as never })).toBe(false);
  });

  it('is guarded from the moment that it is made', () => {
    const app = new EventEmitter();
    guardApp(app as unknown as Parameters<typeof guardApp>[0], { open: () => {}, ask: () => {} });
    expect(app.listenerCount('web-contents-created')).toBe(1);
  });
});

it.each<[ReturnType<typeof decideExternal>, string]>([
  ['open', 'http://localhost:8080/'],
  ['open', 'https://127.0.0.1/'],
  ['open', 'http://[::1]:3000/path?query'],
  ['ask', 'https://example.com/'],
  ['ask', 'http://192.168.1.7:8080/'],
  ['ask', 'http://localhost.evil.example/'],
  ['ask', 'http://notlocalhost/'],
  ['refuse', 'http://localhost@evil.example/'],
  ['refuse', 'https://user:password@example.com/'],
  ['refuse', 'file:///etc/passwd'],
  ['refuse', 'javascript:alert(1)'],
  ['refuse', 'data:text/html,hello'],
  ['refuse', 'ssh://host'],
  ['refuse', 'ms-settings:'],
  ['refuse', '\\\\server\\share'],
  ['refuse', 'not an address'],
])('decides to %s %s', (decision, url) => {
  expect(decideExternal(url)).toBe(decision);
});
