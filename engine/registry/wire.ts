/**
 * One request, one answer. Connections are kept for the next one; certificates, proxies and how long a server may be silent
 * are decided here. What a status means, redirects and proofs are the session's affair.
 */
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { setImmediate } from 'node:timers/promises';
import tls from 'node:tls';
import { authoritiesWith } from './authorities.ts';
import { readCertificates } from './certificates.ts';
import { proxyFor } from './proxy.ts';
import { isInsecure, type RegistrySettings } from './registry-settings.ts';
import { silentError, wireError } from './wire-errors.ts';

export interface WireRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | AsyncIterable<Buffer> | null;
  readonly signal: AbortSignal;
  /** `slow`: the answer takes long to make, five times the silence of the settings. */
  readonly pace?: 'slow';
}

/** Its `body` must be read to its end, or destroyed. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: http.IncomingHttpHeaders;
  readonly method: string;
  readonly url: URL;
  readonly body: http.IncomingMessage;
}

/** Connections to one host at once: several pulls of several layers each. */
const mostConnections = 100;
/** More is not worth the connection that it comes by. */
const mostDiscarded = 64 * 1024;
/** A server that is slower than this over a whole time of silence counts as silent: a drip would hold a pull for days. */
const slowestBytesPerSecond = 256;
/** Registries that keep blobs in an object store copy the whole blob before they answer. */
const slowTimes = 5;

export class Wire implements Disposable {
  readonly #settings: RegistrySettings;
  readonly #agents = new Map<string, Promise<http.Agent>>();

  constructor(settings: RegistrySettings) {
    this.#settings = settings;
  }

  [Symbol.dispose](): void {
    for (const opening of this.#agents.values())
      void opening.then(
        (agent) => agent.destroy(),
        () => undefined, // its request was told
      );
    this.#agents.clear();
  }

  /** Throws `WireError`, or the signal's reason. A connection that the server had closed while it lay idle is not an error: the request goes out again. */
  async send(request: WireRequest): Promise<Answer> {
    for (;;) {
      request.signal.throwIfAborted();
      const sent = this.#start(request, await this.#agentFor(request.url));
      try {
        const body = await sent.answer;
        const { statusCode = 0, statusMessage = '', headers } = body;
        const { method, url } = request;
        return { status: statusCode, statusText: statusMessage, headers, method, url, body };
      } catch (error) {
        if (sent.wasStale(error) && (request.body === null || Buffer.isBuffer(request.body))) continue;
        throw error;
      }
    }
  }

  /** The bytes of an answer; ends with an error when they are cut off, or do not come. */
  async *bytes(answer: Answer, signal: AbortSignal): AsyncGenerator<Buffer, void, void> {
    const { method, url, body } = answer;
    const drip = new DripWatch(this.#settings.silenceMs, () => body.destroy(silentError(method, url, 'bytes')));
    try {
      for await (const chunk of body as AsyncIterable<Buffer>) {
        drip.arrived(chunk.length);
        yield chunk;
        drip.waits();
      }
    } catch (error) {
      signal.throwIfAborted();
      throw wireError(method, url, error);
    } finally {
      drip[Symbol.dispose]();
      body.destroy();
    }
    signal.throwIfAborted();
  }

  /** For an answer whose bytes nobody wants: read to their end, so that the connection can be used again, unless there is no end. */
  discard({ body }: Answer): void {
    let left = mostDiscarded;
    const timer = setTimeout(() => body.destroy(), this.#settings.silenceMs);
    body.on('error', () => undefined); // nobody waits for these bytes
    body.once('close', () => clearTimeout(timer));
    body.on('data', (chunk: Buffer) => {
      left -= chunk.length;
      if (left < 0) body.destroy();
    });
  }

  #start(
    request: WireRequest,
    agent: http.Agent,
  ): { readonly answer: Promise<http.IncomingMessage>; wasStale(error: unknown): boolean } {
    const { method, url, headers, body, signal } = request;
    const send = url.protocol === 'https:' ? https.request : http.request;
    const outgoing = send(url, {
      method,
      headers: { ...headers, ...(Buffer.isBuffer(body) ? { 'Content-Length': String(body.length) } : {}) },
      agent,
      signal,
    });
    return {
      answer: this.#exchange(outgoing, request),
      wasStale: (error) => outgoing.reusedSocket && causeCode(error) === 'ECONNRESET',
    };
  }

  async #exchange(outgoing: http.ClientRequest, request: WireRequest): Promise<http.IncomingMessage> {
    const { method, url, signal } = request;
    outgoing.on('error', () => undefined); // what comes after the answer is told by the answer's bytes
    using deadline = new Deadline(this.#settings.silenceMs, (phase) =>
      outgoing.destroy(silentError(method, url, phase)),
    );
    outgoing.once('socket', (socket) => {
      if (socket.connecting)
        socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', () => deadline.restart());
      else deadline.restart();
    });
    const answered = once(outgoing, 'response') as Promise<[http.IncomingMessage]>;
    let state: 'sending' | 'sent' | 'answered' = 'sending';
    try {
      const sending = sendBody(outgoing, request.body, { deadline, isWanted: () => state === 'sending' });
      // An answer may come before the body is out (a refusal); an error of the body's source ends the request.
      sending.catch((error: unknown) => outgoing.destroy(error instanceof Error ? error : new Error(String(error))));
      void sending.then(
        () => {
          if (state === 'sending') deadline.restart(request.pace === 'slow' ? slowTimes : 1);
          state = state === 'sending' ? 'sent' : state;
        },
        () => undefined,
      );
      const [answer] = await answered;
      // A connection on which half a body lies takes no further request.
      if (state === 'sending') answer.once('close', () => outgoing.destroy());
      state = 'answered';
      return answer;
    } catch (error) {
      signal.throwIfAborted();
      throw wireError(method, url, error);
    }
  }

  #agentFor(url: URL): Promise<http.Agent> {
    const proxy = proxyFor(url, this.#settings);
    const key = `${url.origin} ${proxy ?? ''}`;
    const known = this.#agents.get(key);
    if (known !== undefined) return known;
    const opening = this.#openAgent(url, proxy);
    this.#agents.set(key, opening);
    opening.catch(() => this.#agents.delete(key)); // certificates that cannot be read may be mended
    return opening;
  }

  async #openAgent(url: URL, proxy: string | null): Promise<http.Agent> {
    const shared = {
      keepAlive: true,
      maxSockets: mostConnections,
      ...(proxy === null ? {} : { proxyEnv: { HTTP_PROXY: proxy, HTTPS_PROXY: proxy } }),
    };
    if (url.protocol === 'http:') return new http.Agent(shared);
    return new https.Agent({ ...shared, ...(await this.#proofs(url.host)) });
  }

  /** One context for all connections to a host: reading hundreds of authorities anew for each takes longer than the handshake. */
  async #proofs(host: string): Promise<https.AgentOptions> {
    const { authorities, client } = readCertificates(this.#settings.certificateFolders, host);
    const identity = client === null ? {} : { cert: client.certificate, key: client.key };
    if (isInsecure(host, this.#settings))
      return { rejectUnauthorized: false, secureContext: tls.createSecureContext(identity) };
    const ca = authoritiesWith(authorities);
    await setImmediate(); // reading them and parsing them are two stops for everybody else instead of one long one
    const trust = ca === undefined ? {} : { ca: [...ca] };
    return { rejectUnauthorized: true, secureContext: tls.createSecureContext({ ...identity, ...trust }) };
  }
}

/** A source that takes its time is not the server's fault: the clock runs while the server takes nothing. */
async function sendBody(
  outgoing: http.ClientRequest,
  body: WireRequest['body'],
  { deadline, isWanted }: { readonly deadline: Deadline; readonly isWanted: () => boolean },
): Promise<void> {
  if (body === null || Buffer.isBuffer(body)) {
    outgoing.end(body ?? undefined);
    return;
  }
  deadline.stop();
  for await (const chunk of body) {
    if (outgoing.destroyed || !isWanted()) return;
    if (outgoing.write(chunk)) continue;
    deadline.restart();
    await drained(outgoing);
    if (!isWanted()) return;
    deadline.stop();
  }
  outgoing.end();
}

/** Or closed: who waits for `drain` alone waits for ever then. */
async function drained(outgoing: http.ClientRequest): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done);
      resolve();
    };
    outgoing.once('drain', done).once('close', done);
  });
}

/** Looks from time to time whether enough came while somebody was waiting for it. */
class DripWatch implements Disposable {
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  #looksInVain = 0;
  #state: 'waiting' | 'reading' = 'waiting';

  constructor(silenceMs: number, onDrip: () => void) {
    const looks = 4;
    const least = slowestBytesPerSecond * (silenceMs / 1000);
    this.#timer = setInterval(() => {
      if (this.#state === 'waiting') this.#looksInVain += 1;
      if (this.#looksInVain < looks) return;
      if (this.#bytes < least) onDrip();
      this.#looksInVain = 0;
      this.#bytes = 0;
    }, silenceMs / looks);
  }

  arrived(count: number): void {
    this.#bytes += count;
    this.#state = 'reading'; // a reader that takes its time is not the server's fault
  }

  waits(): void {
    this.#state = 'waiting';
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

/** One timer for connecting, then for each step of the request. */
class Deadline implements Disposable {
  readonly #ms: number;
  readonly #onEnd: (phase: 'connection' | 'answer') => void;
  #times = 1;
  #timer: NodeJS.Timeout;

  constructor(ms: number, onEnd: (phase: 'connection' | 'answer') => void) {
    this.#ms = ms;
    this.#onEnd = onEnd;
    this.#timer = setTimeout(() => onEnd('connection'), ms);
  }

  /** `times`: how many times the silence is allowed from now on. */
  restart(times = this.#times): void {
    this.#times = times;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#onEnd('answer'), this.#ms * times);
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}

function causeCode(error: unknown): unknown {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause ? cause.code : undefined;
}
