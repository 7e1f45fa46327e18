/**
 * A small engine in memory, for tests of those who talk to engines: it speaks the Docker Engine API over a local socket
 * and passes the same suite as the real engine (client/engine-client.suite.ts). Its containers run the programs of
 * fake-engine/shell.ts; nothing leaves the process.
 *
 *     await using engine = await startFakeEngine();
 *     using client = new EngineClient(unixSocketDialer(engine.path));
 *     await client.containers.create({ Image: 'hello', Cmd: ['sh', '-c', 'echo hi; exit 3'] });
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { json as readJson, buffer as readBuffer } from 'node:stream/consumers';
import type { Duplex } from 'node:stream';
import type { CreateContainerBody, WaitCondition } from '../../api/containers.ts';
import type { EngineEvent } from '../../api/events.ts';
import { newestApiVersion, oldestApiVersion } from '../../api/version.ts';
import { tagsOf } from './fake-engine/archive.ts';
import { matchesEvent } from './fake-engine/events.ts';
import { Refusal, parseFilters } from './fake-engine/refusal.ts';
import { FakeState, imageInspect, imageSummary } from './fake-engine/state.ts';
import { serveAttach, serveLogs } from './fake-engine/streams.ts';
import { listenLocally } from './local-server.ts';
import type { LocalServer } from './local-server.ts';

export interface FakeEngine extends AsyncDisposable {
  /** Of the unix socket or named pipe. */
  readonly path: string;
  /** To look at, and to bring about what no client can. */
  readonly state: FakeState;
  readonly server: LocalServer;
  /** `POST /v1.55/containers/create`, one each request. */
  readonly requests: readonly string[];
  /** Cuts every connection, as an engine that dies does; the next request finds it alive again. */
  disconnectAll(): void;
}

interface Exchange {
  readonly state: FakeState;
  readonly request: IncomingMessage;
  readonly answer: ServerResponse;
  readonly query: URLSearchParams;
  /** What the route's path holds in its place of `{…}`. */
  readonly subject: string;
}

export async function startFakeEngine(options: { readonly images?: readonly string[] } = {}): Promise<FakeEngine> {
  const state = new FakeState();
  const requests: string[] = [];
  for (const tag of options.images ?? ['hello:latest']) state.addImage(tag, ['/hello']);
  const server = await listenLocally((request, answer) => {
    requests.push(`${request.method} ${request.url}`);
    serve(state, request, answer).catch((error: unknown) => refuse(answer, error));
  });
  server.server.on('upgrade', (request, connection) => {
    requests.push(`${request.method} ${request.url}`);
    upgrade(state, request, connection);
  });
  return {
    path: server.path,
    state,
    server,
    requests,
    disconnectAll: () => {
      for (const socket of server.open) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      for (const container of state.containers.values()) container.kill('KILL');
      await server[Symbol.asyncDispose]();
    },
  };
}

const routes: readonly (readonly [pattern: RegExp, handler: (exchange: Exchange) => Promise<void> | void])[] = [
  [/^(?:GET|HEAD) \/_ping$/, ({ request, answer }) => void answer.end(request.method === 'GET' ? 'OK' : undefined)],
  [/^GET \/version$/, ({ answer }) => sendJson(answer, versionAnswer)],
  [/^GET \/info$/, ({ state, answer }) => sendJson(answer, infoOf(state))],
  [/^GET \/events$/, serveEvents],
  [/^GET \/images\/json$/, ({ state, answer }) => sendJson(answer, [...state.images.values()].map(imageSummary))],
  [/^GET \/images\/(.+)\/json$/, ({ state, answer, subject }) => sendJson(answer, imageInspect(state.image(subject)))],
  [/^POST \/images\/load$/, serveLoad],
  [/^POST \/images\/create$/, servePull],
  [/^DELETE \/images\/(.+)$/, serveRemoveImage],
  [/^GET \/containers\/json$/, serveList],
  [/^POST \/containers\/create$/, serveCreate],
  [
    /^GET \/containers\/([^/]+)\/json$/,
    ({ state, answer, subject }) => sendJson(answer, state.container(subject).inspect()),
  ],
  [
    /^GET \/containers\/([^/]+)\/logs$/,
    ({ state, answer, query, subject }) => serveLogs(state.container(subject), query, answer),
  ],
  [/^POST \/containers\/([^/]+)\/start$/, serveStart],
  [/^POST \/containers\/([^/]+)\/stop$/, serveStop],
  [/^POST \/containers\/([^/]+)\/restart$/, serveRestart],
  [/^POST \/containers\/([^/]+)\/kill$/, serveKill],
  [/^POST \/containers\/([^/]+)\/wait$/, serveWait],
  [/^POST \/containers\/([^/]+)\/resize$/, serveResize],
  [/^DELETE \/containers\/([^/]+)$/, serveRemove],
];

const versionAnswer = {
  Platform: { Name: 'Skiff fake engine' },
  Components: [],
  Version: '0.0.0-fake',
  ApiVersion: newestApiVersion,
  MinAPIVersion: oldestApiVersion,
  GitCommit: 'none',
  GoVersion: 'none',
  Os: 'linux',
  Arch: 'amd64',
  KernelVersion: '0.0.0',
  BuildTime: '2026-01-01T00:00:00Z',
};

function infoOf(state: FakeState): object {
  const all = [...state.containers.values()];
  const running = all.filter(({ isRunning }) => isRunning).length;
  return {
    ID: 'fake',
    Name: 'fake',
    ServerVersion: versionAnswer.Version,
    Containers: all.length,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: all.length - running,
    Images: state.images.size,
    Driver: 'fake',
    KernelVersion: versionAnswer.KernelVersion,
    OperatingSystem: 'Skiff fake engine',
    OSType: 'linux',
    Architecture: 'x86_64',
    NCPU: 2,
    MemTotal: 2 ** 31,
    DockerRootDir: '/var/lib/skiff',
    CgroupVersion: '2',
    Warnings: null,
  };
}

async function serve(state: FakeState, request: IncomingMessage, answer: ServerResponse): Promise<void> {
  const { path, query } = targetOf(request);
  setHeaders(answer);
  for (const [pattern, handler] of routes) {
    const match = pattern.exec(`${request.method} ${path}`);
    if (match) return await handler({ state, request, answer, query, subject: decodeURIComponent(match[1] ?? '') });
  }
  throw new Refusal(404, 'page not found');
}

function upgrade(state: FakeState, request: IncomingMessage, connection: Duplex): void {
  const { path, query } = targetOf(request);
  const subject = /^\/containers\/([^/]+)\/attach$/.exec(path)?.[1];
  try {
    if (request.method !== 'POST' || subject === undefined) throw new Refusal(404, 'page not found');
    const container = state.container(decodeURIComponent(subject));
    serveAttach(container, query, connection);
    state.events.container('attach', container);
  } catch (error) {
    const { statusCode, message } = asRefusal(error);
    const body = JSON.stringify({ message });
    const head = [
      `HTTP/1.1 ${statusCode} Refused`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
    ];
    connection.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
}

function serveEvents({ state, request, answer, query }: Exchange): void {
  const filters = parseFilters(query.get('filters'), ['type', 'event', 'container', 'image', 'label', 'scope']);
  answer.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders();
  const send = (event: EngineEvent): void => {
    if (matchesEvent(event, filters)) answer.write(`${JSON.stringify(event)}\n`);
  };
  const since = Number(query.get('since') ?? Infinity);
  state.events.all.filter((event) => event.timeNano / 1e9 >= since).forEach(send);
  if (query.has('until') && Number(query.get('until')) <= Date.now() / 1000) {
    answer.end();
    return;
  }
  const listening = state.events.listen(send);
  request.once('close', () => listening[Symbol.dispose]());
}

async function serveLoad({ state, request, answer }: Exchange): Promise<void> {
  const archive = await readBuffer(request);
  let tags: string[];
  try {
    tags = tagsOf(archive);
  } catch (error) {
    throw new Refusal(400, `invalid archive: ${error instanceof Error ? error.message : String(error)}`);
  }
  answer.writeHead(200, { 'Content-Type': 'application/json' });
  for (const tag of tags) {
    state.addImage(tag, ['/hello']);
    answer.write(`${JSON.stringify({ stream: `Loaded image: ${tag}\n` })}\r\n`);
  }
  answer.end();
}

/** A registry that has `nginx`, in two layers, and `slow`, which never ends. */
async function servePull({ state, request, answer, query }: Exchange): Promise<void> {
  const [from = '', tag = 'latest'] = [query.get('fromImage') ?? '', query.get('tag') ?? 'latest'];
  const name = from.replace(/^docker\.io\/(?:library\/)?/, '');
  if (name !== 'nginx' && name !== 'slow')
    throw new Refusal(404, `pull access denied for ${name}, repository does not exist or may require 'docker login'`);
  answer.writeHead(200, { 'Content-Type': 'application/json' });
  const say = (message: object): void => void answer.write(`${JSON.stringify(message)}\r\n`);
  say({ status: `Pulling from ${name}`, id: tag });
  say({ status: 'Already exists', id: '0123456789ab' });
  say({ status: 'Downloading', id: 'ba9876543210', progressDetail: { current: 5, total: 10 } });
  if (name === 'slow') {
    await new Promise<void>((resolve) => request.once('close', () => resolve()));
    return;
  }
  say({ status: 'Pull complete', id: 'ba9876543210' });
  state.addImage(`${name}:${tag}`, ['/hello']);
  say({ status: `Status: Downloaded newer image for ${name}:${tag}` });
  answer.end();
}

function serveRemoveImage({ state, answer, subject }: Exchange): void {
  const image = state.image(subject);
  state.images.delete(image.tag);
  state.events.emit({ Type: 'image', Action: 'delete', Actor: { ID: image.id, Attributes: { name: image.id } } });
  sendJson(answer, [{ Untagged: image.tag }, { Deleted: image.id }]);
}

function serveList({ state, answer, query }: Exchange): void {
  const filters = parseFilters(query.get('filters'), ['id', 'name', 'status', 'exited', 'ancestor', 'label']);
  sendJson(answer, state.list({ isAll: isSet(query, 'all'), limit: Number(query.get('limit') ?? 0), filters }));
}

async function serveCreate({ state, request, answer, query }: Exchange): Promise<void> {
  const body = (await readJson(request)) as CreateContainerBody;
  sendJson(answer, { Id: state.create(body, query.get('name')).id, Warnings: [] }, 201);
}

function serveStart({ state, answer, subject }: Exchange): void {
  answer.writeHead(state.start(state.container(subject)) === 'already-running' ? 304 : 204).end();
}

async function serveStop({ state, answer, query, subject }: Exchange): Promise<void> {
  const container = state.container(subject);
  const outcome = await state.stop(
    container,
    graceOf(query, container.body.StopTimeout),
    query.get('signal') ?? undefined,
  );
  answer.writeHead(outcome === 'already-stopped' ? 304 : 204).end();
}

async function serveRestart({ state, answer, query, subject }: Exchange): Promise<void> {
  const container = state.container(subject);
  await state.stop(container, graceOf(query, container.body.StopTimeout), query.get('signal') ?? undefined);
  state.start(container);
  state.events.container('restart', container);
  answer.writeHead(204).end();
}

function serveKill({ state, answer, query, subject }: Exchange): void {
  state.kill(state.container(subject), query.get('signal') || 'KILL');
  answer.writeHead(204).end();
}

function serveWait({ state, answer, query, subject }: Exchange): void {
  const container = state.container(subject);
  const condition = query.get('condition') || 'not-running';
  const events: Readonly<Record<WaitCondition, 'exit' | 'removed'>> = {
    'not-running': 'exit',
    'next-exit': 'exit',
    removed: 'removed',
  };
  if (!Object.hasOwn(events, condition)) throw new Refusal(400, `invalid condition: "${condition}"`);
  answer.writeHead(200, { 'Content-Type': 'application/json' }).flushHeaders();
  const finish = (): void => void answer.end(`{"StatusCode":${container.exitCode}}\n`);
  if (condition === 'not-running' && !container.isRunning) finish();
  else {
    const event = condition === 'removed' ? 'removed' : 'exit';
    container.once(event, finish);
    answer.once('close', () => container.off(event, finish));
  }
}

function serveResize({ state, answer, query, subject }: Exchange): void {
  const container = state.container(subject);
  if (!container.isRunning) throw new Refusal(409, `container ${container.id} is not running`);
  container.size = { rows: Number(query.get('h')), columns: Number(query.get('w')) };
  state.events.container('resize', container, { height: query.get('h') ?? '', width: query.get('w') ?? '' });
  answer.writeHead(200).end();
}

async function serveRemove({ state, answer, query, subject }: Exchange): Promise<void> {
  await state.remove(state.container(subject), isSet(query, 'force'));
  answer.writeHead(204).end();
}

function graceOf(query: URLSearchParams, own: number | undefined): number {
  return Number(query.get('t') ?? own ?? 10);
}

function isSet(query: URLSearchParams, name: string): boolean {
  return /^(1|true)$/i.test(query.get(name) ?? '');
}

function targetOf(request: IncomingMessage): { path: string; query: URLSearchParams } {
  const url = new URL(request.url ?? '/', 'http://fake');
  return { path: url.pathname.replace(/^\/v\d+\.\d+/, ''), query: url.searchParams };
}

function setHeaders(answer: ServerResponse): void {
  answer.setHeader('Api-Version', newestApiVersion);
  answer.setHeader('Ostype', 'linux');
  answer.setHeader('Server', 'Skiff/0.0.0-fake (linux)');
  if (answer.req.method === 'HEAD') answer.setHeader('Content-Length', 0);
}

function sendJson(answer: ServerResponse, value: unknown, statusCode = 200): void {
  answer.writeHead(statusCode, { 'Content-Type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}

function refuse(answer: ServerResponse, error: unknown): void {
  const { statusCode, message } = asRefusal(error);
  if (answer.headersSent) answer.destroy();
  else sendJson(answer, { message }, statusCode);
}

function asRefusal(error: unknown): { statusCode: number; message: string } {
  if (error instanceof Refusal) return error;
  return { statusCode: 500, message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
}
