/**
 * The client of the Docker Engine API: one typed door to any engine, over whatever byte stream a dialer opens.
 *
 *     using engine = new EngineClient(unixSocketDialer('/run/skiff/docker.sock'));
 *     const { Id } = await engine.containers.create({ Image: 'hello' });
 *     using session = await engine.containers.attach(Id, { stdout: true, stderr: true });
 *     using wait = await engine.containers.wait(Id, 'next-exit');
 *     await engine.containers.start(Id);
 *     for await (const { stream, payload } of session.output) process[stream].write(payload);
 *     const { StatusCode } = await wait.answer;
 *
 * Every call throws EngineError (the engine refused) or EngineUnreachable (no whole answer), or the reason of the signal
 * that aborted it. Calls that answer at once have a timeout; streams last until they end, are aborted or disposed.
 */
import type { EngineEvent } from '../api/events.ts';
import type { BuildCachePruned, DiskUsage, InfoAnswer, VersionAnswer } from '../api/system.ts';
import { answerOf, shapeOf } from './answers.ts';
import { ContainersClient } from './containers.ts';
import type { Dial } from './dial.ts';
import type { Datagram } from '../api/datagrams.ts';
import { datagramSession } from './datagrams.ts';
import type { DatagramSession } from './datagrams.ts';
import { ExecClient } from './exec.ts';
import { FilesClient } from './files.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import { ImagesClient } from './images.ts';
import { jsonStream } from './json-stream.ts';
import type { JsonStream } from './json-stream.ts';
import { NetworksClient } from './networks.ts';
import { RegistriesClient } from './registries.ts';
import { Session } from './session.ts';
import { SkiffClient } from './skiff.ts';
import type { PingAnswer } from './session.ts';
import { Transport } from './transport.ts';
import type { AnswerStream, CallOptions } from './transport.ts';
import { VolumesClient } from './volumes.ts';

/** Silence after which a measurement of the disk counts as hung. */
const measureMs = 10 * 60_000;

export interface EngineClientOptions {
  /** How long to wait for a connection, and for an answer, where a call says nothing else. Default 60 s: a start on an emulated machine takes long. */
  readonly timeoutMs?: number;
}

export interface EventsOptions {
  /** Unix seconds with up to nine digits of fraction, as text. What happened since then comes first. */
  readonly since?: string;
  /** The stream ends there. */
  readonly until?: string;
  readonly filters?: Filters;
}

export class EngineClient implements Disposable {
  readonly containers: ContainersClient;
  readonly exec: ExecClient;
  readonly files: FilesClient;
  readonly images: ImagesClient;
  readonly networks: NetworksClient;
  readonly registries: RegistriesClient;
  readonly skiff: SkiffClient;
  readonly volumes: VolumesClient;
  readonly #transport: Transport;
  readonly #session: Session;

  constructor(dial: Dial, options: EngineClientOptions = {}) {
    this.#transport = new Transport(dial, options.timeoutMs ?? 60_000);
    this.#session = new Session(this.#transport);
    this.containers = new ContainersClient(this.#session);
    this.exec = new ExecClient(this.#session);
    this.files = new FilesClient(this.#session);
    this.images = new ImagesClient(this.#session);
    this.networks = new NetworksClient(this.#session);
    this.registries = new RegistriesClient(this.#session, this.#transport);
    this.skiff = new SkiffClient(this.#transport);
    this.volumes = new VolumesClient(this.#session);
  }

  ping(call: CallOptions = {}): Promise<PingAnswer> {
    return this.#session.ping(call);
  }

  /** The API version that requests are made in: the newest that both sides know. */
  apiVersion(call: CallOptions = {}): Promise<string> {
    return this.#session.apiVersion(call);
  }

  async version(call: CallOptions = {}): Promise<VersionAnswer> {
    const { text } = await this.#session.call({ method: 'GET', path: '/version', ...call });
    return answerOf<VersionAnswer>(text, 'version', { Version: 'string', ApiVersion: 'string' });
  }

  async info(call: CallOptions = {}): Promise<InfoAnswer> {
    const text = await this.infoText(call);
    return answerOf<InfoAnswer>(text, 'info', { ServerVersion: 'string', Containers: 'number' });
  }

  /** The answer of `info` as the engine wrote it. */
  async infoText(call: CallOptions = {}): Promise<string> {
    return (await this.#session.call({ method: 'GET', path: '/info', ...call })).text;
  }

  /** What takes how much of the engine's disk. Measuring volumes may take minutes: ask for `types` only. */
  async diskUsage(
    options: { readonly types?: readonly ('container' | 'image' | 'volume' | 'build-cache')[] } = {},
    call: CallOptions = {},
  ): Promise<DiskUsage> {
    const query = { type: options.types };
    // 1.52 answers in another form, with totals instead of lists.
    const spec = { method: 'GET', path: '/system/df', query, apiVersionAtMost: '1.51', timeoutMs: measureMs } as const;
    const { text } = await this.#session.call({ ...spec, ...call });
    return answerOf<DiskUsage>(text, 'disk usage', {});
  }

  /** Removes what builds have kept and nobody uses. */
  async pruneBuildCache(
    options: { readonly all?: boolean; readonly filters?: Filters } = {},
    call: CallOptions = {},
  ): Promise<BuildCachePruned> {
    const query = { all: options.all || undefined, filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'POST', path: '/build/prune', query, ...call });
    return answerOf<BuildCachePruned>(text, 'prune build cache', { SpaceReclaimed: 'number' });
  }

  /** Resolves when the engine has begun to listen for this client: a list that is asked for afterwards misses nothing. */
  async events(options: EventsOptions = {}, call: CallOptions = {}): Promise<JsonStream<EngineEvent>> {
    return jsonStream(await this.#eventStream(options, call), eventOf);
  }

  /** As `events`, with each event as the engine wrote it: its nanoseconds are more than a number holds. */
  async eventTexts(
    options: EventsOptions = {},
    call: CallOptions = {},
  ): Promise<JsonStream<{ readonly event: EngineEvent; readonly text: string }>> {
    const answer = await this.#eventStream(options, call);
    return jsonStream(answer, (value, text) => ({ event: eventOf(value), text }));
  }

  /** Of Skiff's engine alone: datagrams to a UDP port that a container publishes, by an address of the machine. Throws EngineError 404 when none does. */
  async datagrams(
    target: { readonly address: string; readonly port: number },
    onDatagram: (datagram: Datagram) => void,
    call: CallOptions = {},
  ): Promise<DatagramSession> {
    const hijacked = await this.#session.hijack({ method: 'POST', path: '/skiff/udp', query: target, ...call });
    return datagramSession(hijacked, onDatagram);
  }

  async #eventStream(options: EventsOptions, call: CallOptions): Promise<AnswerStream> {
    const query = { ...options, filters: filtersOf(options.filters) };
    return this.#session.stream({ method: 'GET', path: '/events', query, ...call });
  }

  /** Ends every connection of this client, also streams and attach sessions. */
  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}

function eventOf(value: unknown): EngineEvent {
  return shapeOf<EngineEvent>(value, 'event', { Type: 'string', Action: 'string', Actor: 'object' });
}
