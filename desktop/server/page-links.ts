/** The WebSockets of open pages: each is a link on which the core is served. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer, type WebSocket } from 'ws';
import { contract, type DesktopServices } from '../contract/contract.ts';
import type { Link } from '../wire/link.ts';
import { serve } from '../wire/serve.ts';
import { webSocketLink } from '../wire/web-socket-link.ts';

/** Pages that one person has open; far more is something gone wrong. */
const mostLinks = 64;
/** A question of the page is small; its largest is a container's environment. */
const maxMessageBytes = 4 * 1024 * 1024;
/** A browser that fell asleep closes nothing: who leaves two of these unanswered is gone. */
const heartbeatMs = 30_000;
/** For a page to answer that it has heard of the end. */
const farewellMs = 1_000;

export interface PageLinksOptions {
  readonly services: DesktopServices;
  readonly report: (fault: Error) => void;
  readonly idle?: { readonly afterMs: number; readonly onIdle: () => void };
}

interface Page {
  readonly webSocket: WebSocket;
  readonly link: Link;
  readonly done: Promise<void>;
}

export class PageLinks {
  readonly #options: PageLinksOptions;
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false });
  readonly #pages = new Set<Page>();
  #idleTimer: NodeJS.Timeout | null = null;

  constructor(options: PageLinksOptions) {
    this.#options = options;
    this.#awaitIdle();
  }

  get size(): number {
    return this.#pages.size;
  }

  get isFull(): boolean {
    return this.#pages.size >= mostLinks;
  }

  /** Everything about the request has been checked by now. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#open(webSocket));
  }

  async close(): Promise<void> {
    const pages = [...this.#pages];
    for (const { link } of pages) link.close('Skiff was closed');
    await Promise.all(pages.map(({ done, webSocket }) => Promise.all([done, ended(webSocket)])));
    if (this.#idleTimer) clearTimeout(this.#idleTimer);
    this.#sockets.close();
  }

  #open(webSocket: WebSocket): void {
    const { services, report } = this.#options;
    const link = webSocketLink(webSocket);
    const { done } = serve({ contract, implementation: services, link, report });
    const page: Page = { webSocket, link, done };
    this.#pages.add(page);
    if (this.#idleTimer) clearTimeout(this.#idleTimer);
    const heartbeat = beat(webSocket);
    void done.then(() => {
      clearInterval(heartbeat);
      this.#pages.delete(page);
      this.#awaitIdle();
    });
  }

  #awaitIdle(): void {
    const { idle } = this.#options;
    if (!idle || this.#pages.size > 0) return;
    this.#idleTimer = setTimeout(idle.onIdle, idle.afterMs);
    this.#idleTimer.unref();
  }
}

/** Resolves when the peer has answered the close, or has had its time to. */
async function ended(webSocket: WebSocket): Promise<void> {
  if (webSocket.readyState === webSocket.CLOSED) return;
  const timer = setTimeout(() => webSocket.terminate(), farewellMs);
  await new Promise<void>((resolve) => webSocket.once('close', () => resolve()));
  clearTimeout(timer);
}

function beat(webSocket: WebSocket): NodeJS.Timeout {
  let unanswered = 0;
  webSocket.on('pong', () => (unanswered = 0));
  return setInterval(() => {
    unanswered += 1;
    if (unanswered > 2) webSocket.terminate();
    else webSocket.ping();
  }, heartbeatMs).unref();
}
