import { compareApiVersions, newestApiVersion, oldestApiVersion } from '../api/version.ts';
import { EngineUnreachable } from './errors.ts';
import type { AnswerStream, CallOptions, EngineRequest, Hijacked, Transport } from './transport.ts';

export interface PingAnswer {
  /** Newest API version of the engine. */
  readonly apiVersion: string;
  readonly osType: string;
  /** As the engine's Server header says: `Skiff/0.1.0 (linux)`. */
  readonly server: string;
}

/**
 * Requests with the API version in their path: the newest one that both sides know, asked for once (HEAD /_ping) before
 * the first request. A failed ping is not remembered.
 */
export class Session {
  readonly #transport: Transport;
  #version: Promise<string> | null = null;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async ping(options: CallOptions = {}): Promise<PingAnswer> {
    const { headers } = await this.#transport.call({ method: 'HEAD', path: '/_ping', ...options });
    const apiVersion = headers['api-version'];
    if (typeof apiVersion !== 'string' || !/^\d+\.\d+$/.test(apiVersion)) {
      throw new EngineUnreachable('protocol', 'what answered is not an engine: it names no API version');
    }
    return { apiVersion, osType: String(headers['ostype'] ?? ''), server: String(headers['server'] ?? '') };
  }

  /** The version that requests are made in. Throws EngineUnreachable (`incompatible`) when the engine is too old. */
  apiVersion(options: CallOptions = {}): Promise<string> {
    if (this.#version) return this.#version;
    const version = this.ping(options).then((answer) => negotiate(answer.apiVersion));
    this.#version = version;
    version.catch(() => (this.#version = null));
    return version;
  }

  async call(spec: EngineRequest): ReturnType<Transport['call']> {
    return this.#transport.call(await this.#versioned(spec));
  }

  async stream(spec: EngineRequest): Promise<AnswerStream> {
    return this.#transport.stream(await this.#versioned(spec));
  }

  async hijack(spec: EngineRequest): Promise<Hijacked> {
    return this.#transport.hijack(await this.#versioned(spec));
  }

  async #versioned(spec: EngineRequest): Promise<EngineRequest> {
    // One caller's signal must not end a ping that others wait for too; its own wait ends with it.
    const version = await untilAborted(this.apiVersion(), spec.signal);
    const { apiVersionAtMost: most } = spec;
    const used = most !== undefined && compareApiVersions(version, most) > 0 ? most : version;
    return { ...spec, path: `/v${used}${spec.path}` };
  }
}

function negotiate(serverVersion: string): string {
  if (compareApiVersions(serverVersion, oldestApiVersion) < 0) {
    const message = `the engine speaks API ${serverVersion}; at least ${oldestApiVersion} is needed: upgrade the engine`;
    throw new EngineUnreachable('incompatible', message);
  }
  return compareApiVersions(serverVersion, newestApiVersion) < 0 ? serverVersion : newestApiVersion;
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
