import { type RemoteInfo, type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ProxyTarget } from './port-proxy.ts';

/** As long as docker's proxy remembers who asked. */
const idleMs = 90_000;
const mostClients = 4096;

interface Conversation {
  readonly socket: Socket;
  timer: NodeJS.Timeout;
}

/**
 * A socket that reserves a UDP port of the host. What the kernel forwards to the container never gets here; what does (IPv6,
 * above all) is carried over by hand: each client has a socket of its own towards the container, so that answers find back.
 */
export class UdpProxy implements AsyncDisposable {
  readonly #socket: Socket;
  readonly #idleMs: number;
  readonly #conversations = new Map<string, Conversation>();
  #target: ProxyTarget | null = null;

  private constructor(socket: Socket, clientIdleMs: number) {
    this.#socket = socket;
    this.#idleMs = clientIdleMs;
    // An ICMP error for somebody's packet is nothing to this socket.
    socket.on('error', ignore);
    socket.on('message', (message, from) => this.#carry(message, from));
  }

  /** Port 0: any free one. Rejects with the errno codes of bind(2). */
  static bind(at: { readonly address: string; readonly port: number; readonly idleMs?: number }): Promise<UdpProxy> {
    const socket = isIPv6(at.address) ? createSocket({ type: 'udp6', ipv6Only: true }) : createSocket('udp4');
    return new Promise((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address: at.address, port: at.port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        resolve(new UdpProxy(socket, at.idleMs ?? idleMs));
      });
    });
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Until this is called, datagrams are dropped. */
  serve(target: ProxyTarget): void {
    this.#target = target;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of [...this.#conversations.keys()]) this.#end(key);
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  #carry(message: Buffer, from: RemoteInfo): void {
    if (this.#target === null) return;
    const key = `${from.address} ${from.port}`;
    const conversation = this.#conversations.get(key) ?? this.#begin(key, from);
    conversation?.timer.refresh();
    conversation?.socket.send(message, this.#target.port, this.#target.address, ignore);
  }

  /** Null when there are so many that somebody must be making addresses up. */
  #begin(key: string, { address, port }: RemoteInfo): Conversation | null {
    if (this.#target === null || this.#conversations.size >= mostClients) return null;
    const socket = createSocket(isIPv6(this.#target.address) ? 'udp6' : 'udp4');
    const conversation = { socket, timer: setTimeout(() => this.#end(key), this.#idleMs) };
    this.#conversations.set(key, conversation);
    socket.on('error', ignore);
    socket.on('message', (message, container) => {
      if (container.address !== this.#target?.address || container.port !== this.#target.port) return;
      conversation.timer.refresh();
      this.#socket.send(message, port, address, ignore);
    });
    return conversation;
  }

  #end(key: string): void {
    const conversation = this.#conversations.get(key);
    this.#conversations.delete(key);
    if (conversation === undefined) return;
    clearTimeout(conversation.timer);
    conversation.socket.close();
  }
}

function ignore(): void {
  // A datagram that cannot be delivered is lost, as datagrams are.
}
