/** For tests: a DNS client inside a network namespace, and a server that answers what it is told. */
import { createSocket } from 'node:dgram';
import { type Server, Socket, createServer } from 'node:net';
import { type DecodedPacket, type RecordType, decode, encode, streamEncode } from 'dns-packet';
import type { NetworkNamespace } from '../kernel/netns.ts';
import { bindSocket, connectSocket, openSocket } from '../kernel/sockets.ts';

export interface Asked {
  readonly code: string;
  readonly isTruncated: boolean;
  readonly answers: readonly string[];
}

const timeoutMs = 10_000;
const repeatMs = 1000;
const resolver = { address: '127.0.0.11', port: 53 };

/** Asks 127.0.0.11 as a container's own resolver would. */
export async function ask(
  namespace: NetworkNamespace,
  name: string,
  type: RecordType = 'A',
  options: { readonly transport?: 'udp' | 'tcp'; readonly udpPayloadSize?: number } = {},
): Promise<Asked> {
  const { transport = 'udp', udpPayloadSize } = options;
  const extension = {
    type: 'OPT' as const,
    name: '.',
    udpPayloadSize: udpPayloadSize ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: 0,
    flag_do: false,
    options: [],
  };
  const query = {
    type: 'query' as const,
    id: Math.floor(Math.random() * 65_536),
    flags: 0x0100,
    questions: [{ name, type }],
    additionals: udpPayloadSize === undefined ? [] : [extension],
  };
  const packet = await (transport === 'udp'
    ? askDatagram(namespace, encode(query))
    : askStream(namespace, streamEncode(query)));
  if (packet.id !== query.id) throw new Error(`the answer has the id ${packet.id}, asked was ${query.id}`);
  return {
    code: 'rcode' in packet ? String(packet.rcode) : '',
    isTruncated: packet.flag_tc,
    answers: (packet.answers ?? []).map((answer) => ('data' in answer ? String(answer.data) : '')),
  };
}

/** Sends any bytes, again and again as resolvers do, and gives back the first that come. */
export async function sendBytes(namespace: NetworkNamespace, bytes: Buffer): Promise<Buffer> {
  const socket = createSocket('udp4');
  const fd = namespace.enter(() => openSocket('udp', resolver.address));
  let again: NodeJS.Timeout | undefined;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      AbortSignal.timeout(timeoutMs).addEventListener('abort', () => reject(new Error('no answer from 127.0.0.11')));
      socket.on('error', reject);
      socket.on('message', resolve);
      const send = (): void => socket.send(bytes);
      socket.once('connect', send);
      socket.bind({ fd }, () => socket.connect(resolver.port, resolver.address));
      again = setInterval(send, repeatMs);
    });
  } finally {
    clearInterval(again);
    socket.close();
  }
}

async function askDatagram(namespace: NetworkNamespace, query: Buffer): Promise<DecodedPacket> {
  return decode(await sendBytes(namespace, query));
}

async function askStream(namespace: NetworkNamespace, query: Buffer): Promise<DecodedPacket> {
  const fd = namespace.enter(() => {
    const opened = openSocket('tcp', resolver.address);
    connectSocket(opened, resolver);
    return opened;
  });
  const socket = new Socket({ fd, readable: true, writable: true });
  try {
    return await new Promise<DecodedPacket>((resolve, reject) => {
      AbortSignal.timeout(timeoutMs).addEventListener('abort', () => reject(new Error('no answer from 127.0.0.11')));
      let held = Buffer.alloc(0);
      socket.on('error', reject);
      socket.on('data', (bytes: Buffer) => {
        held = Buffer.concat([held, bytes]);
        if (held.length >= 2 && held.length >= 2 + held.readUInt16BE(0)) resolve(decode(held.subarray(2)));
      });
      socket.write(query);
    });
  } finally {
    socket.destroy();
  }
}

/** A DNS server on `address`, port 53, of a namespace (null: this thread's): says `reply` to every question for an A record. */
export function serveNames(
  namespace: NetworkNamespace | null,
  address: string,
  reply: (name: string) => string | 'refused' | 'silent',
): Disposable & { readonly asked: readonly string[] } {
  const asked: string[] = [];
  const answer = (query: Buffer): Buffer | null => {
    const packet = decode(query);
    const name = packet.questions?.[0]?.name ?? '';
    asked.push(name);
    const data = reply(name);
    if (data === 'silent') return null;
    const refused = 5;
    const base = { type: 'response' as const, id: packet.id, questions: packet.questions };
    if (data === 'refused') return encode({ ...base, flags: refused });
    return encode({ ...base, flags: 0x0180, answers: [{ type: 'A', name, ttl: 30, data }] });
  };
  const bound = (protocol: 'udp' | 'tcp'): number => {
    const open = (): number => {
      const fd = openSocket(protocol, address);
      bindSocket(fd, { address, port: 53 });
      return fd;
    };
    return namespace === null ? open() : namespace.enter(open);
  };
  const udp = createSocket('udp4');
  udp.bind({ fd: bound('udp') });
  udp.on('message', (query, from) => {
    const bytes = answer(query);
    if (bytes !== null) udp.send(bytes, from.port, from.address);
  });
  const tcp: Server = createServer((socket) => {
    socket.on('data', (bytes: Buffer) => {
      const reply = answer(bytes.subarray(2));
      if (reply === null) return;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.end(Buffer.concat([length, reply]));
    });
  });
  tcp.listen({ fd: bound('tcp') });
  return {
    asked,
    [Symbol.dispose]() {
      udp.close();
      tcp.close();
    },
  };
}
