/**
 * Browser mode: the desktop's page and its link, served on loopback to the one who can read the terminal. A web page of
 * somebody else's, a name that was rebound to 127.0.0.1 and another user of this computer can all reach the port; the checks
 * below are against these three: exact Host, exact Origin, and a session that takes a one-time token.
 *
 *     await using server = await startDesktopServer({ services: core.services, rendererDir, report });
 *     console.log(`Open ${server.url}`);
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { linkPath } from '../contract/addresses.ts';
import type { DesktopServices } from '../contract/contract.ts';
import { Entrance } from './entrance.ts';
import { PageFiles } from './page-files.ts';
import { pageHeaders } from './page-headers.ts';
import { PageLinks } from './page-links.ts';
import { htmlOf, refusalPages, type RefusalPage } from './refusal-pages.ts';

export interface DesktopServerOptions {
  readonly services: DesktopServices;
  /** The built page. */
  readonly rendererDir: string;
  /** Default 0: any free port. */
  readonly port?: number;
  readonly report: (fault: Error) => void;
  /** Called once when no page has been open for `afterMs`, counted from the start too: a server that nobody looks at may end. */
  readonly idle?: { readonly afterMs: number; readonly onIdle: () => void };
}

export interface DesktopServer extends AsyncDisposable {
  /** With a one-time token. */
  readonly url: string;
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** Another address for another browser; the earlier ones stay good until they are used. */
  newUrl(): string;
  /** Pages that are open. */
  readonly openPages: number;
  /** Ends every link and connection. */
  close(): Promise<void>;
}

/** Nobody's, but by other programs of this computer; 0.0.0.0 would invite the whole network. */
const loopback = '127.0.0.1';
const tokenName = 'token';

export async function startDesktopServer(options: DesktopServerOptions): Promise<DesktopServer> {
  const files = await PageFiles.open(options.rendererDir);
  const server = createServer({ headersTimeout: 10_000, requestTimeout: 30_000 });
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo; // What a server that listens on a port has.
  const host = `${loopback}:${port}`;
  const origin = `http://${host}`;
  const entrance = new Entrance(port);
  const links = new PageLinks(options);
  const door = new Door({ host, origin, entrance, files, links, headers: pageHeaders(`ws://${host}`) });
  server.on('request', (request, answer) => {
    door.answer(request, answer).catch((cause: unknown) => {
      options.report(new Error(`${request.method} ${pathOf(request)} failed`, { cause }));
      answer.destroy();
    });
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => door.upgrade(request, socket, head));
  const newUrl = (): string => `${origin}/?${tokenName}=${entrance.issueToken()}`;
  const close = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    await links.close();
    server.closeAllConnections();
    await closed;
  };
  return {
    url: newUrl(),
    origin,
    newUrl,
    get openPages() {
      return links.size;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: loopback, port, exclusive: true }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

interface DoorOptions {
  readonly host: string;
  readonly origin: string;
  readonly entrance: Entrance;
  readonly files: PageFiles;
  readonly links: PageLinks;
  readonly headers: Readonly<Record<string, string>>;
}

class Door {
  readonly #options: DoorOptions;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  async answer(request: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { entrance, files, headers } = this.#options;
    const stranger = this.#strangerAt(request);
    if (stranger) return this.#refuse(answer, stranger);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer.setHeader('Allow', 'GET, HEAD');
      return this.#refuse(answer, refusalPages.wrongMethod);
    }
    const token = tokenOf(request);
    if (token !== null) return this.#exchange(request, answer, token);
    if (!entrance.isKnown(request.headers.cookie)) return this.#refuse(answer, refusalPages.unknownBrowser);
    const file = files.find(pathOf(request));
    if (!file) return this.#refuse(answer, refusalPages.notFound);
    const content = await file.read();
    const caching = file.isImmutable ? { 'Cache-Control': 'private, max-age=31536000, immutable' } : {};
    answer.writeHead(200, {
      ...headers,
      ...caching,
      'Content-Type': file.contentType,
      'Content-Length': content.byteLength,
    });
    answer.end(request.method === 'HEAD' ? undefined : content);
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { entrance, links, origin } = this.#options;
    const refusal =
      this.#strangerAt(request) ??
      // Browsers always name the origin of a WebSocket; who does not is no page.
      (request.headers.origin === origin ? null : refusalPages.wrongOrigin) ??
      (entrance.isKnown(request.headers.cookie) ? null : refusalPages.unknownBrowser) ??
      (request.url === linkPath ? null : refusalPages.notFound) ??
      (links.isFull ? refusalPages.tooMany : null);
    if (refusal === null) return links.accept(request, socket, head);
    // The peer may be gone already; there is nobody to tell then.
    socket.on('error', () => socket.destroy());
    socket.end(`HTTP/1.1 ${refusal.statusCode} ${refusal.title}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  }

  /** Who came by another name than ours, or was sent by another page. */
  #strangerAt(request: IncomingMessage): RefusalPage | null {
    if (request.headers.host !== this.#options.host) return refusalPages.wrongHost;
    const { origin } = request.headers;
    return origin !== undefined && origin !== this.#options.origin ? refusalPages.wrongOrigin : null;
  }

  #exchange(request: IncomingMessage, answer: ServerResponse, token: string): void {
    const { entrance, headers } = this.#options;
    // A HEAD is a link preview or a check, not the browser that is to come in.
    const cookie = request.method === 'GET' ? entrance.exchange(token) : null;
    // Who is in already may open the old address again, from the history say.
    if (cookie === null && !entrance.isKnown(request.headers.cookie)) {
      return this.#refuse(answer, refusalPages.tokenUsed);
    }
    answer.writeHead(303, { ...headers, Location: '/', ...(cookie !== null && { 'Set-Cookie': cookie }) }).end();
  }

  #refuse(answer: ServerResponse, page: RefusalPage): void {
    const html = Buffer.from(htmlOf(page));
    answer.writeHead(page.statusCode, {
      ...this.#options.headers,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Length': html.byteLength,
      Connection: 'close',
    });
    answer.end(answer.req.method === 'HEAD' ? undefined : html);
  }
}

function pathOf({ url = '/' }: IncomingMessage): string {
  return url.split('?', 1)[0] ?? '/';
}

/** Null where the request brings none. */
function tokenOf({ url = '/' }: IncomingMessage): string | null {
  const at = url.indexOf('?');
  if (at < 0 || url.slice(0, at) !== '/') return null;
  return new URLSearchParams(url.slice(at)).get(tokenName);
}
