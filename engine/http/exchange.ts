import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { compareApiVersions } from '../../api/version.ts';
import { invalid } from '../model/errors.ts';
import { gated, type Shape } from './version-gates.ts';
import { readUpgradeBody } from './upgrade-body.ts';
import { parseJsonBody } from './json-body.ts';

/** Largest JSON body that is read: a create with a thousand variables is some 100 KB. */
const maxBodyBytes = 16 * 1024 * 1024;

/** One request with what its route made of it. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** API version that the client speaks; the newest when it named none. */
  readonly version: string;
  readonly query: URLSearchParams;
  readonly params: Readonly<Record<string, string>>;
  /** Set when the client asked for an upgrade of its connection: the socket, and what it has already sent on it. */
  get upgrade(): { readonly socket: Duplex; readonly head: Buffer } | null {
    return this.#upgrade;
  }

  /** Aborted when the client has gone. It ends streams; it never undoes a change that is already recorded. */
  readonly signal: AbortSignal;

  #upgrade: { readonly socket: Duplex; readonly head: Buffer } | null;

  constructor(parts: Pick<Exchange, 'request' | 'response' | 'version' | 'query' | 'params' | 'upgrade' | 'signal'>) {
    this.request = parts.request;
    this.response = parts.response;
    this.version = parts.version;
    this.query = parts.query;
    this.params = parts.params;
    this.#upgrade = parts.upgrade;
    this.signal = parts.signal;
  }

  isSince(version: string): boolean {
    return compareApiVersions(this.version, version) >= 0;
  }

  /** A part of the path. Asking for one that the route does not have is a mistake of ours. */
  param(name: string): string {
    const value = this.params[name];
    if (value === undefined) throw new Error(`the route has no part :${name}`);
    return value;
  }

  /** Docker's truth: absent, empty, `0`, `no`, `false`, `none` are false, everything else is true. */
  flag(name: string): boolean {
    const value = this.query.get(name)?.trim().toLowerCase() ?? '';
    return !['', '0', 'no', 'false', 'none'].includes(value);
  }

  /** A whole number, or null when absent. Throws `invalid` for anything else. */
  integer(name: string): number | null {
    const text = this.query.get(name);
    if (text === null || text === '') return null;
    if (!/^-?\d{1,15}$/.test(text)) throw invalid(`invalid value "${text}" for ${name}: expected a whole number`);
    return Number(text);
  }

  /** The JSON body as an object. Throws `invalid` for another content type, broken JSON, no object, or what follows it. */
  async body(): Promise<Record<string, unknown>> {
    const text = (await this.#bodyBytes()).toString('utf8');
    const type = this.request.headers['content-type'] ?? '';
    if (text.trim() !== '' && type.split(';')[0]?.trim().toLowerCase() !== 'application/json') {
      throw invalid(`unsupported Content-Type header (${type}): must be 'application/json'`);
    }
    return parseJsonBody(text);
  }

  /** For requests that have none by rights: dockerode announces one with an attach, and it must not become the container's input. */
  async dropBody(): Promise<void> {
    if (this.request.headers['content-length'] !== undefined) await this.#bodyBytes();
  }

  async #bodyBytes(): Promise<Buffer> {
    if (this.#upgrade !== null) {
      const { bytes, rest } = await readUpgradeBody(this.request, this.#upgrade, maxBodyBytes);
      this.#upgrade = { socket: this.#upgrade.socket, head: rest };
      return bytes;
    }
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of this.request as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBodyBytes) throw invalid(`the request body is larger than ${maxBodyBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** 200 with what a client of this version knows of it. */
  answer(shape: Shape, value: unknown): void {
    this.json(200, gated(shape, this.version, value));
  }

  json(status: number, value: unknown): void {
    this.text(status, 'application/json', `${JSON.stringify(value)}\n`);
  }

  text(status: number, type: string, text: string): void {
    const bytes = Buffer.from(text);
    this.response.writeHead(status, { 'Content-Type': type, 'Content-Length': bytes.length });
    this.response.end(this.request.method === 'HEAD' ? undefined : bytes);
  }

  empty(status: 204 | 200 | 304): void {
    this.response.writeHead(status, status === 200 ? { 'Content-Length': 0 } : {}).end();
  }

  /** Sends the status line now: clients wait for it before they go on (the docker CLI does for wait and events). */
  startStream(type: string): ServerResponse {
    this.response.writeHead(200, { 'Content-Type': type });
    this.response.flushHeaders();
    return this.response;
  }
}
