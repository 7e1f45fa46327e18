/**
 * The HTTP rim: finds the route, runs it, and turns errors into answers. The only place where an error becomes a status.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, ServerResponse } from 'node:http';
import net from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { newestApiVersion } from '../../api/version.ts';
import type { Log } from '../diagnostics/log.ts';
import { EngineError, type ErrorKind, internal, invalid } from '../model/errors.ts';
import { diskFullMessage, isDiskFull } from '../store/disk-reserve.ts';
import { engineVersion } from '../version.ts';
import { Exchange } from './exchange.ts';
import { type Route, Router } from './router.ts';

const mostDroppedBytes = 64 * 1024 * 1024;

const statusOf: Readonly<Record<ErrorKind, number>> = {
  'not-found': 404,
  invalid: 400,
  conflict: 409,
  'not-modified': 304,
  forbidden: 403,
  unauthorized: 401,
  unavailable: 503,
  'not-implemented': 501,
  internal: 500,
};

export interface ApiServer extends AsyncDisposable {
  readonly sockets: readonly string[];
}

/** Serves `routes` on unix sockets, each for its owner (and `group`) alone. A socket that somebody serves is not taken. */
export async function serveApi(options: {
  readonly routes: readonly Route[];
  readonly sockets: readonly string[];
  readonly group: string | null;
  readonly log: Log;
  /** Called at each request, before anything else. */
  readonly onRequest?: () => void;
}): Promise<ApiServer> {
  const { sockets, group, log, onRequest } = options;
  const server = apiServer(new Router(options.routes), log, onRequest);
  const listeners: net.Server[] = [];
  // Those that were taken over (attach) are no longer known to the HTTP server.
  const connections = new Set<net.Socket>();
  server.on('connection', (connection: net.Socket) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
  });
  for (const socket of sockets) listeners.push(await listen(server, { socket, group }));
  return {
    sockets,
    async [Symbol.asyncDispose]() {
      const closed = listeners.map((listener) => new Promise((resolve) => listener.close(resolve)));
      for (const connection of connections) connection.destroy();
      await Promise.all(closed);
    },
  };
}

function apiServer(router: Router, log: Log, onRequest: (() => void) | undefined): Server {
  const respond = (request: IncomingMessage, response: ServerResponse, upgrade: Exchange['upgrade']): void => {
    onRequest?.();
    void answer({ router, log, request, response, upgrade });
  };
  const server = createServer({
    keepAliveTimeout: 120_000,
    requestTimeout: 0, // a load may take as long as it takes
    headersTimeout: 60_000,
    noDelay: true,
    highWaterMark: 256 * 1024,
    shouldUpgradeCallback: (request) => wantsUpgrade(router, request),
  });
  server.on('request', (request, response) => respond(request, response, null));
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket as net.Socket);
    response.on('finish', () => socket.end());
    respond(request, response, { socket, head });
  });
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');
    else socket.destroy();
  });
  return server;
}

function wantsUpgrade(router: Router, request: IncomingMessage): boolean {
  const wanted = request.headers.upgrade?.toLowerCase();
  if (wanted === undefined) return false;
  try {
    return router.match(request.method ?? '', pathOf(request)).route.upgrades === wanted;
  } catch {
    return false; // the same error is found again, and answered, on the ordinary way
  }
}

async function answer(parts: {
  readonly router: Router;
  readonly log: Log;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly upgrade: Exchange['upgrade'];
}): Promise<void> {
  const { router, log, request, response, upgrade } = parts;
  const gone = new AbortController();
  response.once('close', () => gone.abort(new Error('the client has gone')));
  response.on('error', (error) => log.debug('connection lost', { error }));
  upgrade?.socket.on('error', (error) => log.debug('connection lost', { error }));
  response.setHeader('Api-Version', newestApiVersion);
  response.setHeader('Docker-Experimental', 'false');
  response.setHeader('Ostype', 'linux');
  response.setHeader('Server', `Skiff/${engineVersion} (linux)`);
  try {
    refuseBrowsers(request);
    const { route, params, version } = router.match(request.method ?? '', pathOf(request));
    const query = new URLSearchParams(request.url?.split('?')[1] ?? '');
    await route.handle(new Exchange({ request, response, version, query, params, upgrade, signal: gone.signal }));
  } catch (error) {
    answerError({ error, request, response, log });
  }
}

/** A page in a browser can reach a socket that something forwards to TCP; no docker client sends these headers. */
function refuseBrowsers(request: IncomingMessage): void {
  const { origin } = request.headers;
  if (origin !== undefined || request.headers['sec-fetch-site'] !== undefined) {
    throw new EngineError('forbidden', 'requests from web pages are refused');
  }
}

function answerError(parts: {
  readonly error: unknown;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly log: Log;
}): void {
  const { request, response, log } = parts;
  const error = parts.error instanceof EngineError ? parts.error : unexpected(parts.error, log);
  const call = `${request.method} ${request.url}`;
  if (error.kind === 'internal') log.error('request failed', { call, error });
  else log.debug('request refused', { call, error });
  if (response.headersSent || response.destroyed) {
    response.destroy(); // the client sees a cut stream: the honest end of a half answer
    return;
  }
  const status = statusOf[error.kind];
  if (status === 304) {
    response.writeHead(304).end();
    return;
  }
  const body = Buffer.from(`${JSON.stringify({ message: error.message })}\n`);
  readTheRest(request);
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': body.length });
  response.end(request.method === 'HEAD' ? undefined : body);
}

/**
 * A connection that is closed while its client still sends breaks the client's write, and the client never sees the answer
 * (the docker CLI then says "broken pipe"). What is sent after all is read and dropped, up to a bound.
 */
function readTheRest(request: IncomingMessage): void {
  if (request.complete) return;
  let remaining = mostDroppedBytes;
  request.on('data', (chunk: Buffer) => {
    remaining -= chunk.length;
    if (remaining < 0) request.destroy();
  });
}

function unexpected(error: unknown, log: Log): EngineError {
  if (isDiskFull(error)) return internal(diskFullMessage, { cause: error });
  const incident = randomBytes(4).toString('hex');
  const message = error instanceof Error ? error.message : String(error);
  log.error('unexpected error', { incident, error, stack: error instanceof Error ? error.stack : undefined });
  return internal(`${message} (incident ${incident}: see the engine's log)`, { cause: error });
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?')[0] ?? '/';
}

/**
 * node:http accepts connections of any net.Server that hands them over, which lets one server serve several sockets.
 * The socket is made with the right mode from the start: between bind and chmod nobody else can connect.
 */
async function listen(
  server: Server,
  options: { readonly socket: string; readonly group: string | null },
): Promise<net.Server> {
  const { socket, group } = options;
  mkdirSync(path.dirname(socket), { recursive: true });
  if (existsSync(socket)) {
    if (await isServed(socket))
      throw invalid(`${socket} is served by another process: give another --host, or stop that one`);
    rmSync(socket);
  }
  const listener = net.createServer({ allowHalfOpen: true, noDelay: true, highWaterMark: 256 * 1024 }, (connection) =>
    server.emit('connection', connection),
  );
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen({ path: socket, backlog: 1024 }, resolve);
    });
  } finally {
    process.umask(mask);
  }
  if (group !== null) {
    chownSync(socket, 0, groupId(group));
    chmodSync(socket, 0o660);
  }
  return listener;
}

function isServed(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

function groupId(group: string): number {
  if (/^\d+$/.test(group)) return Number(group);
  const line = readFileSync('/etc/group', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${group}:`));
  const id = line?.split(':')[2];
  if (id === undefined) throw invalid(`--group ${group}: there is no such group`);
  return Number(id);
}
