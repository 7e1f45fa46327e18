/**
 * What no page may do in this app, whoever wrote it. The renderer is ours, but it shows names and logs that containers
 * chose; the day one of them gets a script into it, this file is what stands between that script and the computer.
 */
import type { App, Session, WebContents } from 'electron';
import { isPageUrl, parse } from './page-address.ts';

/** Copying a command is all that the page asks of the browser. */
const grantedPermissions: ReadonlySet<string> = new Set(['clipboard-sanitized-write']);

/** Hosts whose pages open without a question: this computer, where containers publish. */
const loopbackNames: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

export type ExternalDecision = 'open' | 'ask' | 'refuse';

/** What to do with an address that the page wants opened in the user's browser. Only web pages ever are: no files, no other programs' schemes. */
export function decideExternal(address: string): ExternalDecision {
  const url = parse(address);
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) return 'refuse';
  // A name before the host is how one address is dressed up as another.
  if (url.username !== '' || url.password !== '') return 'refuse';
  return loopbackNames.has(url.hostname) ? 'open' : 'ask';
}

export interface Outside {
  /** Opens an address in the user's browser. */
  open(url: string): void;
  /** Asks the user first, showing the whole address. */
  ask(url: string): void;
}

/** Applies to every page of the app, also to those that are opened later. */
export function guardApp(app: Pick<App, 'on'>, outside: Outside): void {
  app.on('web-contents-created', (_, contents) => guardContents(contents, outside));
}

type Guarded = Pick<WebContents, 'on' | 'setWindowOpenHandler' | 'session'>;

export function guardContents(contents: Guarded, outside: Outside): void {
  guardSession(contents.session);
  contents.setWindowOpenHandler(({ url }) => {
    const decision = decideExternal(url);
    if (decision === 'open') outside.open(url);
    else if (decision === 'ask') outside.ask(url);
    return { action: 'deny' };
  });
  const stayHome = (event: { preventDefault(): void; readonly url: string }): void => {
    if (!isPageUrl(event.url)) event.preventDefault();
  };
  contents.on('will-navigate', stayHome);
  contents.on('will-frame-navigate', stayHome);
  contents.on('will-redirect', stayHome);
  contents.on('will-attach-webview', (event) => event.preventDefault());
}

type GuardedSession = Pick<
  Session,
  'setPermissionRequestHandler' | 'setPermissionCheckHandler' | 'setDevicePermissionHandler'
>;

function guardSession(session: GuardedSession): void {
  session.setPermissionRequestHandler((_, permission, answer, { requestingUrl }) =>
    answer(grantedPermissions.has(permission) && isPageUrl(requestingUrl)),
  );
  session.setPermissionCheckHandler((_, permission, origin) => grantedPermissions.has(permission) && isPageUrl(origin));
  session.setDevicePermissionHandler(() => false);
}
