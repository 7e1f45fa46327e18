import { request } from 'node:http';
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isErrorBody } from '../api/errors.ts';
import { Connections } from './connections.ts';
import type { Dial } from './dial.ts';
import { EngineError, EngineUnreachable, explain } from './errors.ts';

/** What every call of the client accepts. */
export interface CallOptions {
  /** Aborting rejects the call with the signal's reason. What the engine has already begun goes on. */
  readonly signal?: AbortSignal;
  /** How long to wait for the answer; for calls that answer with a stream: for its beginning. */
  readonly timeoutMs?: number;
}

export interface EngineRequest extends CallOptions {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path without query; parts that come from outside are already percent-encoded. */
  readonly path: string;
  /** Undefined values are left out, booleans become 1 and 0, lists a parameter for each item, objects JSON. */
  readonly query?: Readonly<Record<string, string | number | boolean | object | undefined>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly json?: object;
  /** For calls whose answer has another form in newer versions. */
  readonly apiVersionAtMost?: string;
  /** Sent as it comes (`application/x-tar`). */
  readonly upload?: Readable;
}

export interface AnswerStream {
  readonly body: IncomingMessage;
  readonly contentType: string;
  /** Aborted when the caller or the client ends it; its reason is what to throw. */
  readonly signal: AbortSignal;
}

/** Both directions of a connection that has left HTTP behind. */
export interface Hijacked {
  readonly contentType: string;
  /** 101: the content type tells framed from raw; older servers answer 200 and call everything raw. */
  readonly statusCode: number;
  readonly incoming: Readable;
  /** `end()` half-closes: output goes on. */
  readonly outgoing: Duplex;
  readonly signal: AbortSignal;
}

interface Exchange {
  readonly request: ClientRequest;
  readonly answer: Promise<IncomingMessage>;
  /** Aborted by the caller, by the timeout or by closing the client; the reason is what to throw. */
  readonly signal: AbortSignal;
  stopClock(): void;
}

const maxAnswerBytes = 64 * 1024 * 1024;

/** HTTP requests over dialed streams: pool, timeouts, cancellation, and errors by meaning. Knows nothing of containers. */
export class Transport implements Disposable {
  readonly #connections: Connections;
  readonly #timeoutMs: number;

  constructor(dial: Dial, timeoutMs: number) {
    this.#connections = new Connections(dial, timeoutMs);
    this.#timeoutMs = timeoutMs;
  }

  /** Sends a request and reads the whole answer; `timeoutMs` bounds all of it. Status 400 and above throws EngineError. */
  call(spec: EngineRequest): Promise<{ statusCode: number; headers: IncomingMessage['headers']; text: string }> {
    return this.#exchange(spec, async (exchange) => {
      const answer = await this.#answerTo(exchange, spec);
      const text = await readAll(answer, exchange.signal);
      return { statusCode: answer.statusCode ?? 0, headers: answer.headers, text };
    });
  }

  /** Sends a request and resolves when the head of the answer is there; the caller reads (or destroys) the body. */
  stream(spec: EngineRequest): Promise<AnswerStream> {
    return this.#exchange(spec, async (exchange) => {
      const body = await this.#answerTo(exchange, spec);
      return { body, contentType: body.headers['content-type'] ?? '', signal: exchange.signal };
    });
  }

  /** Asks for `Upgrade: tcp` on a connection of its own and hands both directions over. */
  async hijack(spec: EngineRequest): Promise<Hijacked> {
    const connection = await this.#connections.open(spec.signal);
    connection.on('error', () => undefined); // Whoever reads the stream gets the error; without a listener it would end the process.
    const exchange = this.#begin(spec, { connection, headers: { Connection: 'Upgrade', Upgrade: 'tcp' } });
    try {
      const upgraded = new Promise<Hijacked>((resolve) => {
        exchange.request.once('upgrade', (answer, socket, head) => {
          if (head.length > 0) socket.unshift(head);
          const contentType = answer.headers['content-type'] ?? '';
          resolve({ contentType, statusCode: 101, incoming: socket, outgoing: socket, signal: exchange.signal });
        });
      });
      const answered = this.#answerTo(exchange, spec).then((answer): Hijacked => {
        const contentType = answer.headers['content-type'] ?? '';
        const statusCode = answer.statusCode ?? 0;
        return { contentType, statusCode, incoming: answer, outgoing: connection, signal: exchange.signal };
      });
      const hijacked = await Promise.race([upgraded, answered]);
      const onAbort = (): void => void connection.destroy();
      exchange.signal.addEventListener('abort', onAbort, { once: true });
      connection.once('close', () => exchange.signal.removeEventListener('abort', onAbort));
      return hijacked;
    } catch (error) {
      connection.destroy();
      throw error;
    } finally {
      exchange.stopClock();
    }
  }

  [Symbol.dispose](): void {
    this.#connections.destroy();
  }

  /**
   * The engine may close an idle connection in the moment in which a request is sent on it. A request that changes
   * nothing is then sent once more on a fresh connection; any other fails, since it may have been done.
   */
  async #exchange<T>(spec: EngineRequest, read: (exchange: Exchange) => Promise<T>): Promise<T> {
    const isSafe = spec.method === 'GET' || spec.method === 'HEAD';
    for (let mayRepeat = isSafe; ; mayRepeat = false) {
      const exchange = this.#begin(spec);
      try {
        return await read(exchange);
      } catch (error) {
        const isStale = exchange.request.reusedSocket && error instanceof EngineUnreachable && error.code === 'lost';
        if (!mayRepeat || !isStale) throw error;
      } finally {
        exchange.stopClock();
      }
    }
  }

  #begin(
    spec: EngineRequest,
    own?: { readonly connection: Duplex; readonly headers: Readonly<Record<string, string>> },
  ): Exchange {
    const timeoutMs = spec.timeoutMs ?? this.#timeoutMs;
    const clock = new AbortController();
    const signal = AbortSignal.any([clock.signal, this.#connections.closed, ...(spec.signal ? [spec.signal] : [])]);
    signal.throwIfAborted();
    const timer = setTimeout(() => {
      const message = `the engine did not answer ${spec.method} ${spec.path} within ${timeoutMs / 1000} s`;
      clock.abort(new EngineUnreachable('timeout', message));
    }, timeoutMs);
    const body = spec.json === undefined ? '' : JSON.stringify(spec.json);
    const outgoing = request({
      method: spec.method,
      path: spec.path + queryString(spec.query),
      headers: { ...spec.headers, ...contentHeaders(spec, body), ...own?.headers },
      signal,
      // Without an agent Node takes the given connection as it is; `agent: false` would make one that dials TCP.
      ...(own ? { createConnection: () => own.connection } : { agent: this.#connections }),
    });
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      outgoing.once('response', resolve);
      // Stays for the whole life: an upload that is cut off after the answer must not end the process.
      outgoing.on('error', (error) => reject(explain(error, signal)));
    });
    answer.catch(() => undefined); // After an upgrade nobody waits for it.
    if (spec.upload) {
      const watched = watchUpload(spec.upload, {
        onChunk: () => timer.refresh(),
        onError: (error) => clock.abort(error),
      });
      // An error of the connection reaches the answer by the request's own event.
      pipeline(watched, outgoing).catch(() => undefined);
    } else outgoing.end(body);
    return { request: outgoing, answer, signal, stopClock: () => clearTimeout(timer) };
  }

  async #answerTo(exchange: Exchange, spec: EngineRequest): Promise<IncomingMessage> {
    const answer = await exchange.answer;
    const statusCode = answer.statusCode ?? 0;
    if (statusCode < 400) return answer;
    const text = await readAll(answer, exchange.signal);
    throw new EngineError(statusCode, errorMessage(text) || `${spec.method} ${spec.path}: status ${statusCode}`);
  }
}

/** Passes chunks on, telling of each; an error of the source itself (a file that cannot be read) is told apart from the connection's. */
async function* watchUpload(
  source: Readable,
  on: { readonly onChunk: () => void; readonly onError: (error: unknown) => void },
): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      on.onChunk();
      yield chunk;
    }
  } catch (error) {
    on.onError(error);
    throw error;
  }
}

function contentHeaders(spec: EngineRequest, body: string): Record<string, string> {
  if (spec.upload) return { 'Content-Type': 'application/x-tar' };
  if (spec.json === undefined) return {};
  return { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(body)) };
}

/** Reads an answer to its end; its size is bounded. */
export async function readAll(answer: IncomingMessage, signal: AbortSignal): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  try {
    for await (const part of answer as AsyncIterable<Buffer>) {
      sizeBytes += part.length;
      if (sizeBytes > maxAnswerBytes) throw new EngineUnreachable('protocol', 'an answer of the engine has no end');
      parts.push(part);
    }
  } catch (error) {
    throw explain(error, signal);
  }
  return Buffer.concat(parts).toString('utf8');
}

function errorMessage(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    return isErrorBody(body) ? body.message : text.trim();
  } catch {
    return text.trim(); // Proxies and API versions below 1.24 answer errors as plain text.
  }
}

function queryString(query: EngineRequest['query']): string {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const item of value) pairs.append(name, String(item));
    else if (typeof value === 'boolean') pairs.set(name, value ? '1' : '0');
    else pairs.set(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
  }
  const text = pairs.toString();
  return text === '' ? '' : `?${text}`;
}
