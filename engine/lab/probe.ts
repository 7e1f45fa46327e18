/** For tests: whether somebody answers at an address, as seen from inside a network namespace. */
import { closeSync } from 'node:fs';
import { createSocket } from 'node:dgram';
import { type Server, Socket, createServer, isIPv6 } from 'node:net';
import { SystemCallError } from '../kernel/libc.ts';
import type { NetworkNamespace } from '../kernel/netns.ts';
import { type SocketAddress, bindSocket, connectSocket, openSocket } from '../kernel/sockets.ts';

/** `refused`: somebody says no. `unreachable`: no way leads there. `silent`: nothing comes back. */
export type Reach = 'answers' | 'refused' | 'unreachable' | 'silent';

/** Long enough for what the kernel would let through at once; an answer that is expected may take its time on a busy computer. */
const silenceMs = 400;
const patienceMs = 20_000;
const repeatMs = 1000;

/** Answers every connection and every datagram with what it was sent. An address of `0.0.0.0` or `::`. */
export function serveEcho(namespace: NetworkNamespace, at: SocketAddress): AsyncDisposable {
  const [tcpFd, udpFd] = (['tcp', 'udp'] as const).map((protocol) =>
    namespace.enter(() => {
      const fd = openSocket(protocol, at.address);
      bindSocket(fd, at);
      return fd;
    }),
  );
  const tcp: Server = createServer((socket) => void socket.on('error', () => socket.destroy()).pipe(socket));
  tcp.listen({ fd: tcpFd });
  const udp = createSocket(isIPv6(at.address) ? 'udp6' : 'udp4');
  udp.on('message', (message, from) => udp.send(message, from.port, from.address));
  udp.bind({ fd: udpFd });
  return {
    async [Symbol.asyncDispose]() {
      await new Promise<void>((resolve) => udp.close(() => resolve()));
      await new Promise<void>((resolve) => tcp.close(() => resolve()));
    },
  };
}

/** `namespace` null: this thread's own. `expected`: for anything but silence it is waited longer. */
export async function probe(
  namespace: NetworkNamespace | null,
  protocol: 'tcp' | 'udp',
  to: SocketAddress & { readonly expected: Reach },
): Promise<Reach> {
  const open = (): number => {
    const fd = openSocket(protocol, to.address);
    try {
      if (protocol === 'tcp') connectSocket(fd, to);
      return fd;
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  };
  try {
    const fd = namespace === null ? open() : namespace.enter(open);
    const waitMs = to.expected === 'silent' ? silenceMs : patienceMs;
    return await (protocol === 'tcp' ? probeStream(fd, waitMs) : probeDatagrams(fd, { ...to, waitMs }));
  } catch (error) {
    if (error instanceof SystemCallError) return reachOf(error.code);
    throw error;
  }
}

function probeStream(fd: number, waitMs: number): Promise<Reach> {
  const socket = new Socket({ fd, readable: true, writable: true });
  return settled(waitMs, (settle) => {
    socket.on('data', () => settle('answers'));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(reachOf(error.code ?? '')));
    socket.on('end', () => settle('refused'));
    socket.write('hello');
  }).finally(() => socket.destroy());
}

function probeDatagrams(fd: number, to: SocketAddress & { readonly waitMs: number }): Promise<Reach> {
  const socket = createSocket(isIPv6(to.address) ? 'udp6' : 'udp4');
  let again: NodeJS.Timeout | undefined;
  return settled(to.waitMs, (settle) => {
    socket.on('message', () => settle('answers'));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(reachOf(error.code ?? '')));
    const send = (): void => socket.send('hello');
    socket.once('connect', () => {
      send();
      again = setInterval(send, repeatMs);
    });
    socket.bind({ fd }, () => socket.connect(to.port, to.address));
  }).finally(() => {
    clearInterval(again);
    socket.close();
  });
}

async function settled(waitMs: number, start: (settle: (reach: Reach) => void) => void): Promise<Reach> {
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Reach>((resolve) => {
      timer = setTimeout(() => resolve('silent'), waitMs);
      start(resolve);
    });
  } finally {
    clearTimeout(timer);
  }
}

function reachOf(code: string): Reach {
  if (['ECONNREFUSED', 'ECONNRESET', 'EPIPE'].includes(code)) return 'refused';
  if (['ENETUNREACH', 'EHOSTUNREACH', 'EADDRNOTAVAIL', 'EINVAL'].includes(code)) return 'unreachable';
  throw new Error(`a probe failed with ${code}`);
}
