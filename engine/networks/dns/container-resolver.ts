/**
 * The resolver of one container: it listens on 127.0.0.11 inside, at ports that the kernel chooses, and rules inside lead
 * port 53 there. Port 53 itself stays the container's own, which may want to be a DNS server on every address.
 */
import { type RemoteInfo, type Socket as UdpSocket, createSocket } from 'node:dgram';
import { type Server, type Socket, createServer } from 'node:net';
import { closeSync, statSync } from 'node:fs';
import { openNamespace } from '../../kernel/netns.ts';
import { openNft } from '../../kernel/nft.ts';
import { bindSocket, boundPort, openSocket } from '../../kernel/sockets.ts';
import { type View, decide } from './answer.ts';
import type { Transport } from './exchange.ts';
import { Forwarder } from './forwarder.ts';
import type { Upstream } from './named-container.ts';
import { FramedMessages, framed } from './tcp-frames.ts';

export const resolverAddress = '127.0.0.11';

const idleConnectionMs = 10_000;
const mostConnections = 64;

export interface ResolverOptions {
  readonly netnsPath: string;
  readonly view: View;
  readonly upstream: () => Upstream;
  readonly hostServers: () => readonly string[];
}

/** Answers from the moment that it is made. Throws what the kernel says; nothing is left then. */
export class ContainerResolver implements Disposable {
  /** Of the namespace: a container that was started again has another. */
  readonly inode: bigint;
  readonly #options: ResolverOptions;
  readonly #stack: DisposableStack;
  readonly #forwarder: Forwarder;
  readonly #connections = new Set<Socket>();

  constructor(options: ResolverOptions) {
    this.#options = options;
    using opening = new DisposableStack();
    this.inode = namespaceInode(options.netnsPath);
    const namespace = opening.use(openNamespace(options.netnsPath));
    this.#forwarder = new Forwarder({ namespace, hostServers: options.hostServers });
    const sockets = namespace.enter(openInside);
    const udp = createSocket('udp4');
    const tcp = createServer((socket) => this.#serveConnection(socket));
    this.#serveDatagrams(udp, sockets.udp);
    this.#listen(tcp, sockets.tcp);
    opening.defer(() => {
      udp.close();
      tcp.close();
      for (const socket of this.#connections) socket.destroy();
    });
    this.#stack = opening.move();
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }

  #serveDatagrams(udp: UdpSocket, fd: number): void {
    // An answer that cannot be sent has nobody to be told of: whoever asked is gone.
    udp.on('error', ignore);
    udp.on('message', (query, from: RemoteInfo) => {
      void this.#answer(query, 'udp').then((bytes) => {
        if (bytes !== null && !this.#stack.disposed) udp.send(bytes, from.port, from.address, ignore);
      });
    });
    udp.bind({ fd });
  }

  #listen(server: Server, fd: number): void {
    server.maxConnections = mostConnections;
    server.on('error', ignore);
    server.listen({ fd });
  }

  #serveConnection(socket: Socket): void {
    this.#connections.add(socket);
    const messages = new FramedMessages((query) => {
      void this.#answer(query, 'tcp').then((bytes) => {
        if (bytes !== null && socket.writable) socket.write(framed(bytes));
      });
    });
    socket.setTimeout(idleConnectionMs, () => socket.destroy());
    socket.on('data', (bytes) => messages.push(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(socket));
  }

  async #answer(query: Buffer, transport: Transport): Promise<Buffer | null> {
    const { view, upstream } = this.#options;
    const decision = decide(query, { view, transport, random: Math.random });
    switch (decision.kind) {
      case 'ignore':
        return null;
      case 'answer':
        return decision.bytes;
      case 'forward':
        return await this.#forwarder.forward(query, upstream(), transport);
    }
  }
}

export function namespaceInode(path: string): bigint {
  return statSync(path, { bigint: true }).ino;
}

function openInside(): { readonly udp: number; readonly tcp: number } {
  // Node owns both in the end, and closes them with its objects; what goes wrong before that is ours.
  using rollback = new DisposableStack();
  const bound = (protocol: Transport): number => {
    const fd = rollback.adopt(openSocket(protocol, resolverAddress), closeSync);
    bindSocket(fd, { address: resolverAddress, port: 0 });
    return fd;
  };
  const [udp, tcp] = [bound('udp'), bound('tcp')];
  using nft = openNft();
  nft.run(redirection({ udp: boundPort(udp), tcp: boundPort(tcp) }));
  rollback.move();
  return { udp, tcp };
}

/** Works on a fresh namespace and on one that an earlier name server served. Replacing the table would cost 10 ms more. */
function redirection(ports: { readonly udp: number; readonly tcp: number }): string {
  return `table ip skiff-dns {
	chain questions {
		type nat hook output priority -100; policy accept;
	}
}
flush chain ip skiff-dns questions
add rule ip skiff-dns questions ip daddr ${resolverAddress} udp dport 53 dnat to ${resolverAddress}:${ports.udp}
add rule ip skiff-dns questions ip daddr ${resolverAddress} tcp dport 53 dnat to ${resolverAddress}:${ports.tcp}
`;
}

function ignore(): void {
  // see where it is given
}
