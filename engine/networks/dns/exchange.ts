/** One question to one server, from the host's network or from inside a container's. */
import { createSocket } from 'node:dgram';
import { Socket, isIPv6 } from 'node:net';
import { connectSocket, openSocket } from '../../kernel/sockets.ts';
import type { NetworkNamespace } from '../../kernel/netns.ts';
import { isResponse } from './answer.ts';
import { FramedMessages, framed } from './tcp-frames.ts';

export type Transport = 'udp' | 'tcp';

export interface Exchange {
  /** Its id is one of ours: whoever guesses answers must guess that too. */
  readonly query: Buffer;
  readonly server: string;
  readonly transport: Transport;
  /** Null: the host's. */
  readonly namespace: NetworkNamespace | null;
  readonly timeoutMs: number;
}

export const dnsPort = 53;

/** Rejects when the server cannot be reached or does not answer in time. */
export function exchange(request: Exchange): Promise<Buffer> {
  const { transport, server, namespace } = request;
  const open = (): number => {
    const fd = openSocket(transport, server);
    if (transport === 'tcp') connectSocket(fd, { address: server, port: dnsPort });
    return fd;
  };
  const fd = namespace === null ? open() : namespace.enter(open);
  return transport === 'udp' ? exchangeDatagrams(fd, request) : exchangeStream(fd, request);
}

function exchangeDatagrams(fd: number, { query, server, timeoutMs }: Exchange): Promise<Buffer> {
  const socket = createSocket({ type: isIPv6(server) ? 'udp6' : 'udp4' });
  return new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(() => reject(late(server, timeoutMs)), timeoutMs);
    socket.on('error', reject);
    socket.on('message', (message) => {
      if (isAnswerTo(query, message)) resolve(message);
    });
    socket.on('close', () => clearTimeout(timer));
    socket.bind({ fd }, () => {
      // Connected, so that nobody else's datagrams come in and a closed port is told at once.
      socket.once('connect', () => socket.send(query));
      socket.connect(dnsPort, server);
    });
  }).finally(() => socket.close());
}

function exchangeStream(fd: number, { query, server, timeoutMs }: Exchange): Promise<Buffer> {
  const socket = new Socket({ fd, readable: true, writable: true });
  return new Promise<Buffer>((resolve, reject) => {
    const timer = setTimeout(() => reject(late(server, timeoutMs)), timeoutMs);
    const messages = new FramedMessages((message) => {
      if (isAnswerTo(query, message)) resolve(message);
    });
    socket.on('data', (bytes) => messages.push(bytes));
    socket.on('error', reject);
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error(`${server} ended the connection without an answer`));
    });
    socket.write(framed(query));
  }).finally(() => socket.destroy());
}

function isAnswerTo(query: Buffer, message: Buffer): boolean {
  return message.length >= 12 && isResponse(message) && message.readUInt16BE(0) === query.readUInt16BE(0);
}

function late(server: string, timeoutMs: number): Error {
  return new Error(`${server} did not answer within ${timeoutMs} ms`);
}
