import { type AddressInfo, type Server, type Socket, connect, createServer } from 'node:net';

export interface ProxyTarget {
  readonly address: string;
  readonly port: number;
}

const connectTimeoutMs = 10_000;

/**
 * A listening socket that reserves a TCP port of the host. What the kernel forwards to the container never gets here; what
 * does (IPv6, above all) is carried over by hand, each direction ending when its sender ends it.
 */
export class PortProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #target: ProxyTarget | null = null;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => this.#carry(client));
  }

  /** Port 0: any free one. Rejects with the errno codes of bind(2). */
  static listen(at: { readonly address: string; readonly port: number }): Promise<PortProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      // Without ipv6Only, [::] would take the IPv4 port as well, and 0.0.0.0 beside it would be refused.
      server.listen({ host: at.address, port: at.port, ipv6Only: true }, () => {
        server.removeListener('error', reject);
        resolve(new PortProxy(server));
      });
    });
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Until this is called, connections are refused by a reset. */
  serve(target: ProxyTarget): void {
    this.#target = target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.resetAndDestroy();
    await closed;
  }

  #carry(client: Socket): void {
    if (this.#target === null) {
      client.on('error', () => client.destroy());
      client.resetAndDestroy();
      return;
    }
    const container = connect({
      host: this.#target.address,
      port: this.#target.port,
      allowHalfOpen: true,
      noDelay: true,
    });
    container.setTimeout(connectTimeoutMs, () => container.destroy(new Error('the container does not answer')));
    container.once('connect', () => container.setTimeout(0));
    this.#join(client, container);
    this.#join(container, client);
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.pipe(to);
    // A broken side is passed on as what it is: a reset, never an orderly end.
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      if (!from.readableEnded) to.destroy();
    });
  }
}
