import type { RemoteInfo, Socket } from 'node:dgram';
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { EngineClient } from '../../client/engine-client.ts';
import type { DatagramSession } from '../../client/datagrams.ts';
import type { Dial } from '../../client/dial.ts';

/** A line to the machine is given up when nobody has used it for so long. */
const defaultIdleMs = 90_000;
/** Programs ask from a port of their own each time: those that asked longest ago are forgotten. */
const mostClients = 4096;

interface Client {
  readonly number: number;
  readonly address: string;
  readonly port: number;
}

/**
 * A UDP port of this computer whose datagrams go to a published port of the machine. SSH has no channels for datagrams, so they
 * go through the engine's API as frames of one stream, opened by the first of them.
 */
export class UdpServer implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #engine: EngineClient;
  readonly #target: { readonly address: string; readonly port: number };
  readonly #onFailure: (error: Error) => void;
  readonly #byAddress = new Map<string, Client>();
  readonly #byNumber = new Map<number, Client>();
  readonly #idle: NodeJS.Timeout;
  #session: Promise<DatagramSession> | null = null;
  #lastNumber = 0;

  private constructor(options: UdpServerOptions) {
    const type = isIPv6(options.listen.address) ? 'udp6' : 'udp4';
    this.#socket = createSocket({ type, ipv6Only: type === 'udp6' });
    this.#engine = new EngineClient(options.dial);
    this.#target = options.target;
    this.#onFailure = options.onFailure;
    this.#socket.on('message', (payload, from) => void this.#carry(payload, from));
    this.#idle = setTimeout(() => this.#hangUp(), options.idleMs ?? defaultIdleMs).unref();
  }

  /** Rejects when the port cannot be had (`EADDRINUSE`, `EACCES`). */
  static async listen(options: UdpServerOptions): Promise<UdpServer> {
    const server = new UdpServer(options);
    const { address, port } = options.listen;
    try {
      await new Promise<undefined>((resolve, reject) => {
        server.#socket.once('error', reject);
        server.#socket.bind({ address, port, exclusive: true }, () => resolve(undefined));
      });
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
    server.#socket.removeAllListeners('error');
    // An ICMP error for somebody's answer is nothing to this socket.
    server.#socket.on('error', () => undefined);
    return server;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#idle);
    this.#hangUp();
    this.#engine[Symbol.dispose]();
    await new Promise<undefined>((resolve) => this.#socket.close(() => resolve(undefined)));
  }

  async #carry(payload: Buffer, from: RemoteInfo): Promise<void> {
    const { number: client } = this.#clientAt(from);
    this.#idle.refresh();
    try {
      (await this.#open()).send({ client, payload });
    } catch (error) {
      this.#onFailure(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #clientAt({ address, port }: RemoteInfo): Client {
    const key = `${address} ${port}`;
    const known = this.#byAddress.get(key);
    if (known !== undefined) return known;
    const [oldest] = this.#byAddress;
    if (oldest !== undefined && this.#byAddress.size >= mostClients) this.#forget(...oldest);
    this.#lastNumber += 1;
    const client = { number: this.#lastNumber, address, port };
    this.#byAddress.set(key, client);
    this.#byNumber.set(client.number, client);
    return client;
  }

  #forget(key: string, { number }: Client): void {
    this.#byAddress.delete(key);
    this.#byNumber.delete(number);
  }

  /** One that failed or broke is forgotten: the next datagram opens another. */
  #open(): Promise<DatagramSession> {
    if (this.#session !== null) return this.#session;
    const opening = this.#engine.datagrams(this.#target, ({ client, payload }) => {
      const to = this.#byNumber.get(client);
      if (to === undefined) return;
      this.#idle.refresh();
      this.#socket.send(payload, to.port, to.address);
    });
    const forget = (): void => {
      if (this.#session === opening) this.#session = null;
    };
    this.#session = opening;
    opening.then((session) => session.closed).then(forget, forget);
    return opening;
  }

  #hangUp(): void {
    const session = this.#session;
    this.#session = null;
    this.#byAddress.clear();
    this.#byNumber.clear();
    session?.then(
      (opened) => opened[Symbol.dispose](),
      () => undefined, // it never came to be, and was told
    );
  }
}

export interface UdpServerOptions {
  readonly listen: { readonly address: string; readonly port: number };
  readonly dial: Dial;
  /** As the machine reaches it. */
  readonly target: { readonly address: string; readonly port: number };
  readonly onFailure: (error: Error) => void;
  readonly idleMs?: number;
}
