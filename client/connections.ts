import { Agent } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Dial } from './dial.ts';
import { EngineUnreachable, messageOf } from './errors.ts';

/** What Node's Agent calls on the sockets in its pool. A mere stream has no process to keep alive and no probes to send. */
const socketMethods = ['ref', 'unref', 'setKeepAlive', 'setNoDelay', 'setTimeout'] as const;

/**
 * `servername`: without one Node's Agent finds out whether the host is an address, by an expression whose compilation costs more than all else
 * that a request does.
 */
const agentOptions = { keepAlive: true, maxFreeSockets: 8, servername: '' };

/** A pool of idle connections over any Duplex. Idle connections never keep the process alive. */
export class Connections extends Agent {
  readonly #dial: Dial;
  readonly #connectTimeoutMs: number;
  readonly #closed = new AbortController();

  constructor(dial: Dial, connectTimeoutMs: number) {
    super(agentOptions);
    this.#dial = dial;
    this.#connectTimeoutMs = connectTimeoutMs;
  }

  /** A connection outside the pool: the caller owns it. Throws EngineUnreachable (`connect`, `timeout`, `closed`). */
  async open(signal?: AbortSignal): Promise<Duplex> {
    const timeout = AbortSignal.timeout(this.#connectTimeoutMs);
    const signals = [timeout, this.#closed.signal, ...(signal ? [signal] : [])];
    try {
      return withSocketMethods(await this.#dial(AbortSignal.any(signals)));
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (this.#closed.signal.aborted) throw this.#closed.signal.reason;
      if (timeout.aborted) {
        const message = `the connection to the engine could not be opened within ${this.#connectTimeoutMs / 1000} s`;
        throw new EngineUnreachable('timeout', message, { cause: error });
      }
      if (error instanceof EngineUnreachable) throw error;
      throw new EngineUnreachable('connect', `cannot connect to the engine: ${messageOf(error)}`, { cause: error });
    }
  }

  override createConnection(_options: object, callback?: (error: Error | null, stream: Duplex) => void): undefined {
    this.open().then(
      (stream) => callback?.(null, stream),
      // Node reads the stream only when there is no error, but types it as always there.
      (error: unknown) => callback?.(error as Error, undefined as unknown as Duplex),
    );
  }

  /** Ends every pooled connection, idle or busy, and every attempt to open one. */
  override destroy(): void {
    if (!this.#closed.signal.aborted) {
      this.#closed.abort(new EngineUnreachable('closed', 'the connection to the engine has been closed'));
    }
    super.destroy();
  }

  get closed(): AbortSignal {
    return this.#closed.signal;
  }
}

function withSocketMethods(stream: Duplex): Duplex {
  // Between two requests nobody listens; an abort that comes just then destroys it with an error, which would end the process.
  stream.on('error', () => undefined);
  for (const name of socketMethods) {
    if (!(name in stream)) Object.defineProperty(stream, name, { value: () => stream });
  }
  return stream;
}
