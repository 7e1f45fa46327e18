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
import type { InfoAnswer, VersionAnswer } from '../api/system.ts';
import { answerOf, shapeOf } from './answers.ts';
import { ContainersClient } from './containers.ts';
import type { Filters } from './containers.ts';
import type { Dial } from './dial.ts';
import { ImagesClient } from './images.ts';
import { jsonStream } from './json-stream.ts';
import type { JsonStream } from './json-stream.ts';
import { Session } from './session.ts';
import type { PingAnswer } from './session.ts';
import { Transport } from './transport.ts';
import type { CallOptions } from './transport.ts';

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
  readonly images: ImagesClient;
  readonly #transport: Transport;
  readonly #session: Session;

  constructor(dial: Dial, options: EngineClientOptions = {}) {
    this.#transport = new Transport(dial, options.timeoutMs ?? 60_000);
    this.#session = new Session(this.#transport);
    this.containers = new ContainersClient(this.#session);
    this.images = new ImagesClient(this.#session);
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
    const { text } = await this.#session.call({ method: 'GET', path: '/info', ...call });
    return answerOf<InfoAnswer>(text, 'info', { ServerVersion: 'string', Containers: 'number' });
  }

  /** Resolves when the engine has begun to listen for this client: a list that is asked for afterwards misses nothing. */
  async events(options: EventsOptions = {}, call: CallOptions = {}): Promise<JsonStream<EngineEvent>> {
    const query = { ...options };
    const answer = await this.#session.stream({ method: 'GET', path: '/events', query, ...call });
    return jsonStream(answer, (value) =>
      shapeOf<EngineEvent>(value, 'event', { Type: 'string', Action: 'string', Actor: 'object' }),
    );
  }

  /** Ends every connection of this client, also streams and attach sessions. */
  [Symbol.dispose](): void {
    this.#transport[Symbol.dispose]();
  }
}
