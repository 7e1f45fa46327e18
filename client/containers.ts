import type {
  ContainerInspect,
  ContainerSummary,
  ContainersPruned,
  CreateContainerAnswer,
  CreateContainerBody,
  TopAnswer,
  UpdateContainerBody,
  WaitAnswer,
  WaitCondition,
} from '../api/containers.ts';
import type { StatsSample } from '../api/stats.ts';
import { compareApiVersions } from '../api/version.ts';
import { answerOf, listOf, shapeOf } from './answers.ts';
import { attachSession } from './attach.ts';
import type { AttachSession } from './attach.ts';
import { multiplexedContentType, readOutput } from './output.ts';
import type { OutputStream } from './output.ts';
import { jsonStream } from './json-stream.ts';
import type { JsonStream } from './json-stream.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import type { Session } from './session.ts';
import { readAll } from './transport.ts';
import type { CallOptions, EngineRequest } from './transport.ts';

export interface ListContainers {
  /** Stopped ones too. */
  readonly all?: boolean;
  /** The newest `limit` of all states. */
  readonly limit?: number;
  readonly size?: boolean;
  readonly filters?: Filters;
}

export interface LogsOptions {
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  /** Labels and variables that the log driver was told to note, before each line. */
  readonly details?: boolean;
  /** Number of last lines; absent: all. */
  readonly tail?: number;
  /** Unix seconds with up to nine digits of fraction, as text. */
  readonly since?: string;
  readonly until?: string;
}

export interface AttachOptions {
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  /** Replay what was logged so far, before what comes. */
  readonly logs?: boolean;
  /** `ctrl-p,ctrl-q` when absent. */
  readonly detachKeys?: string;
}

/** A wait that the engine has taken note of: what happens from now on is seen. */
export interface ContainerWait extends Disposable {
  readonly answer: Promise<WaitAnswer>;
}

/** Time that a stop may take beyond its own grace period. */
const stopMarginMs = 30_000;
/** For a stop that leaves the grace period to the container: longer than any sensible one. */
const unknownGraceSeconds = 600;

/** Containers of one engine. `id` is an id, an unambiguous beginning of one, or a name. */
export class ContainersClient {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async list(options: ListContainers = {}, call: CallOptions = {}): Promise<readonly ContainerSummary[]> {
    const query = { ...options, filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'GET', path: '/containers/json', query, ...call });
    return listOf<ContainerSummary>(text, 'containers', { Id: 'string', Names: 'array', State: 'string' });
  }

  /** Throws EngineError 404 for an unknown image, 409 for a name that is taken. */
  async create(
    body: CreateContainerBody,
    options: { readonly name?: string; readonly platform?: string } = {},
    call: CallOptions = {},
  ): Promise<CreateContainerAnswer> {
    const spec: EngineRequest = { method: 'POST', path: '/containers/create', query: options, json: body, ...call };
    const { text } = await this.#session.call(spec);
    return answerOf<CreateContainerAnswer>(text, 'create container', { Id: 'string' });
  }

  async inspect(id: string, call: CallOptions = {}): Promise<ContainerInspect> {
    const text = await this.inspectText(id, {}, call);
    return answerOf<ContainerInspect>(text, 'inspect container', { Id: 'string', State: 'object', Config: 'object' });
  }

  /** The answer of `inspect` as the engine wrote it; `size` also measures the filesystem. */
  async inspectText(id: string, options: { readonly size?: boolean } = {}, call: CallOptions = {}): Promise<string> {
    const query = { size: options.size || undefined };
    return (await this.#session.call({ method: 'GET', path: pathOf(id, 'json'), query, ...call })).text;
  }

  /** Resolves once its process runs, or says that it did already. */
  async start(
    id: string,
    options: { readonly detachKeys?: string } = {},
    call: CallOptions = {},
  ): Promise<'started' | 'already-running'> {
    const query = { detachKeys: options.detachKeys };
    const { statusCode } = await this.#session.call({ method: 'POST', path: pathOf(id, 'start'), query, ...call });
    return statusCode === 304 ? 'already-running' : 'started';
  }

  /** Sends the stop signal, and KILL after `timeoutSeconds` (absent: the container's own; negative: never). */
  async stop(id: string, options: StopOptions = {}, call: CallOptions = {}): Promise<'stopped' | 'already-stopped'> {
    const { statusCode } = await this.#session.call(stopRequest(id, 'stop', options, call));
    return statusCode === 304 ? 'already-stopped' : 'stopped';
  }

  async restart(id: string, options: StopOptions = {}, call: CallOptions = {}): Promise<void> {
    await this.#session.call(stopRequest(id, 'restart', options, call));
  }

  /** `signal` is a name with or without SIG, or a number; KILL when absent. Throws EngineError 409 when it does not run. */
  async kill(id: string, signal?: string, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'POST', path: pathOf(id, 'kill'), query: { signal }, ...call });
  }

  async pause(id: string, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'POST', path: pathOf(id, 'pause'), ...call });
  }

  async unpause(id: string, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'POST', path: pathOf(id, 'unpause'), ...call });
  }

  async rename(id: string, name: string, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'POST', path: pathOf(id, 'rename'), query: { name }, ...call });
  }

  /** Changes limits and the restart policy; gives the engine's warnings. */
  async update(id: string, body: UpdateContainerBody, call: CallOptions = {}): Promise<readonly string[]> {
    const { text } = await this.#session.call({ method: 'POST', path: pathOf(id, 'update'), json: body, ...call });
    return answerOf<{ readonly Warnings?: readonly string[] | null }>(text, 'update container', {}).Warnings ?? [];
  }

  /** The processes, as `ps` prints them when called with `psArgs`. */
  async top(id: string, psArgs = '', call: CallOptions = {}): Promise<TopAnswer> {
    const query = { ps_args: psArgs || undefined };
    const { text } = await this.#session.call({ method: 'GET', path: pathOf(id, 'top'), query, ...call });
    return answerOf<TopAnswer>(text, 'top', { Titles: 'array' });
  }

  /** A sample about once a second; with `once` a single one. */
  async stats(
    id: string,
    options: { readonly once?: boolean } = {},
    call: CallOptions = {},
  ): Promise<JsonStream<StatsSample>> {
    const query = { stream: !options.once };
    const answer = await this.#session.stream({ method: 'GET', path: pathOf(id, 'stats'), query, ...call });
    return jsonStream(answer, (value) => shapeOf<StatsSample>(value, 'stats', { cpu_stats: 'object' }));
  }

  /** Removes those that do not run. */
  async prune(options: { readonly filters?: Filters } = {}, call: CallOptions = {}): Promise<ContainersPruned> {
    const query = { filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'POST', path: '/containers/prune', query, ...call });
    return answerOf<ContainersPruned>(text, 'prune containers', { SpaceReclaimed: 'number' });
  }

  async remove(
    id: string,
    options: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
    call: CallOptions = {},
  ): Promise<void> {
    const query = { force: options.force, v: options.volumes, link: options.link };
    await this.#session.call({ method: 'DELETE', path: `/containers/${encodeURIComponent(id)}`, query, ...call });
  }

  /**
   * Resolves as soon as the engine waits too; `answer` has no timeout. So a caller can order create, attach, wait, start
   * and miss nothing. Disposing gives the wait up.
   */
  async wait(id: string, condition: WaitCondition = 'not-running', call: CallOptions = {}): Promise<ContainerWait> {
    const stream = await this.#session.stream({
      method: 'POST',
      path: pathOf(id, 'wait'),
      query: { condition },
      ...call,
    });
    const answer = readAll(stream.body, stream.signal).then((text) =>
      answerOf<WaitAnswer>(text, 'wait', { StatusCode: 'number' }),
    );
    answer.catch(() => undefined); // Who gives the wait up does not look at it any more; who awaits it still gets the error.
    return { answer, [Symbol.dispose]: () => void stream.body.destroy() };
  }

  /** The log so far, and with `follow` what comes until the container ends. Both streams unless one is chosen. */
  async logs(id: string, options: LogsOptions = {}, call: CallOptions = {}): Promise<OutputStream> {
    const isBoth = options.stdout === undefined && options.stderr === undefined;
    const query = { ...options, stdout: isBoth || options.stdout, stderr: isBoth || options.stderr };
    const answer = await this.#session.stream({ method: 'GET', path: pathOf(id, 'logs'), query, ...call });
    const isFramed = await this.#isFramed(id, { contentType: answer.contentType, isTrusted: true });
    const output = readOutput(answer.body, { isFramed, signal: answer.signal });
    return {
      [Symbol.asyncIterator]: () => output[Symbol.asyncIterator](),
      [Symbol.dispose]: () => void answer.body.destroy(),
    };
  }

  /** Connects to the stdio of a container, which may also be one that is not started yet. */
  async attach(id: string, options: AttachOptions = {}, call: CallOptions = {}): Promise<AttachSession> {
    const query = { ...options, stream: true };
    const hijacked = await this.#session.hijack({ method: 'POST', path: pathOf(id, 'attach'), query, ...call });
    const { contentType, statusCode } = hijacked;
    const isFramed = await this.#isFramed(id, { contentType, isTrusted: statusCode === 101 });
    return attachSession(hijacked, { isFramed });
  }

  /** Sets the size of the container's terminal, in characters. */
  async resize(
    id: string,
    size: { readonly rows: number; readonly columns: number },
    call: CallOptions = {},
  ): Promise<void> {
    const query = { h: size.rows, w: size.columns };
    await this.#session.call({ method: 'POST', path: pathOf(id, 'resize'), query, ...call });
  }

  /** The content type tells framed from raw since API 1.42, and only when the connection was upgraded; else the container does. */
  async #isFramed(id: string, answer: { readonly contentType: string; readonly isTrusted: boolean }): Promise<boolean> {
    if (answer.contentType.startsWith(multiplexedContentType)) return true;
    if (answer.isTrusted && compareApiVersions(await this.#session.apiVersion(), '1.42') >= 0) return false;
    const { Config } = await this.inspect(id);
    return !Config.Tty;
  }
}

export interface StopOptions {
  readonly timeoutSeconds?: number;
  readonly signal?: string;
}

function stopRequest(id: string, verb: 'stop' | 'restart', options: StopOptions, call: CallOptions): EngineRequest {
  const graceSeconds = options.timeoutSeconds ?? unknownGraceSeconds;
  // A negative grace period waits for ever: the longest that a timer can.
  const timeoutMs = graceSeconds < 0 ? 2 ** 31 - 1 : graceSeconds * 1000 + stopMarginMs;
  const query = { t: options.timeoutSeconds, signal: options.signal };
  return { method: 'POST', path: pathOf(id, verb), query, timeoutMs, ...call };
}

function pathOf(id: string, verb: string): string {
  return `/containers/${encodeURIComponent(id)}/${verb}`;
}
