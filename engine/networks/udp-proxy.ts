import { type RemoteInfo, type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ProxyTarget } from './port-proxy.ts';
import { UdpConversations } from './udp-conversations.ts';

/**
 * A socket that reserves a UDP port of the host. What the kernel forwards to the container never gets here; what does (IPv6,
 * above all) is carried over by hand.
 */
export class UdpProxy implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #idleMs: number | undefined;
  #conversations: UdpConversations<RemoteInfo> | null = null;

  private constructor(socket: Socket, idleMs: number | undefined) {
    this.#socket = socket;
    this.#idleMs = idleMs;
    // An ICMP error for somebody's packet is nothing to this socket.
    socket.on('error', ignore);
    socket.on('message', (message, from) => this.#conversations?.send(`${from.address} ${from.port}`, from, message));
  }

  /** Port 0: any free one. Rejects with the errno codes of bind(2). `idleMs`: how long a silent client is remembered. */
  static bind(at: { readonly address: string; readonly port: number; readonly idleMs?: number }): Promise<UdpProxy> {
    const socket = isIPv6(at.address) ? createSocket({ type: 'udp6', ipv6Only: true }) : createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address: at.address, port: at.port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        resolve(new UdpProxy(socket, at.idleMs));
      });
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Until this is called, datagrams are dropped. */
  serve(target: ProxyTarget): void {
    this.#conversations?.[Symbol.dispose]();
    this.#conversations = new UdpConversations<RemoteInfo>({
      target,
      onAnswer: ({ address, port }, message) => this.#socket.send(message, port, address, ignore),
      ...(this.#idleMs === undefined ? {} : { idleMs: this.#idleMs }),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#conversations?.[Symbol.dispose]();
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }
}

function ignore(): void {
  // A datagram that cannot be delivered is lost, as datagrams are.
}
