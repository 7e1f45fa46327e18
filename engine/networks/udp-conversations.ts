import { type Socket, createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { ProxyTarget } from './port-proxy.ts';

/** As long as docker's proxy remembers who asked. */
const defaultIdleMs = 90_000;
/** More than that, and somebody must be making addresses up. */
const mostClients = 4096;

interface Conversation {
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
}

/** Carries datagrams of many clients to one target: each client has a socket of its own towards it, so that answers find back. */
export class UdpConversations<Client> implements Disposable {
  readonly #target: ProxyTarget;
  readonly #onAnswer: (client: Client, message: Buffer) => void;
  readonly #idleMs: number;
  readonly #conversations = new Map<string | number, Conversation>();

  constructor(parts: {
    readonly target: ProxyTarget;
    readonly onAnswer: (client: Client, message: Buffer) => void;
    readonly idleMs?: number;
  }) {
    this.#target = parts.target;
    this.#onAnswer = parts.onAnswer;
    this.#idleMs = parts.idleMs ?? defaultIdleMs;
  }

  /** `key` tells clients apart. What cannot be delivered is lost, as datagrams are. */
  send(key: string | number, client: Client, message: Buffer): void {
    const conversation = this.#conversations.get(key) ?? this.#begin(key, client);
    conversation?.timer.refresh();
    conversation?.socket.send(message, this.#target.port, this.#target.address, ignore);
  }

  [Symbol.dispose](): void {
    for (const key of [...this.#conversations.keys()]) this.#end(key);
  }

  #begin(key: string | number, client: Client): Conversation | null {
    if (this.#conversations.size >= mostClients) return null;
    const { address, port } = this.#target;
    const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
    const conversation = { socket, timer: setTimeout(() => this.#end(key), this.#idleMs) };
    this.#conversations.set(key, conversation);
    socket.on('error', ignore);
    socket.on('message', (message, from) => {
      if (from.address !== address || from.port !== port) return;
      conversation.timer.refresh();
      this.#onAnswer(client, message);
    });
    return conversation;
  }

  #end(key: string | number): void {
    const conversation = this.#conversations.get(key);
    this.#conversations.delete(key);
    if (conversation === undefined) return;
    clearTimeout(conversation.timer);
    conversation.socket.close();
  }
}

function ignore(): void {
  // see send
}
