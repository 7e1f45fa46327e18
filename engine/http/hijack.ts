/**
 * Attach and exec turn an HTTP exchange into a plain byte stream in both directions. A client that asks for it
 * (`Connection: Upgrade`, `Upgrade: tcp`) is answered 101; an older one gets 200 and the bytes follow (source: Engine API,
 * "Attach to a container", Hijacking).
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Exchange } from './exchange.ts';

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

/**
 * Takes the connection over, after the request's body has been read. Half close works both ways: the end of the client's
 * side is end of input, not of output.
 */
export function hijack(exchange: Exchange, options: { readonly isFramed: boolean }): Duplex {
  const { upgrade } = exchange;
  if (upgrade === null) return hijackPlain(exchange);
  const type = options.isFramed && exchange.isSince('1.42') ? multiplexedStream : rawStream;
  const { socket, head } = upgrade;
  writeHead(exchange, socket as Socket, [
    '101 UPGRADED',
    `Content-Type: ${type}`,
    'Connection: Upgrade',
    'Upgrade: tcp',
  ]);
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** Without an upgrade the type never says that the stream is framed, though it is: clients of that kind know it. */
function hijackPlain(exchange: Exchange): Duplex {
  const { request } = exchange;
  const { socket } = request;
  // A body without an announced length is the input itself: clients that cannot upgrade send it so (dockerode).
  const input = request.headers['transfer-encoding'] !== undefined && !request.readableEnded ? request : null;
  if (input === null) leaveParser(socket);
  writeHead(exchange, socket, ['200 OK', `Content-Type: ${rawStream}`]);
  return input === null ? socket : Duplex.from({ readable: input, writable: socket });
}

/** From here on the bytes of the connection are ours: Node's parser would take them for another request. */
function leaveParser(socket: Socket): void {
  const parserListeners = (['data', 'end', 'drain', 'timeout'] as const).flatMap((event) =>
    socket.listeners(event).map((listener) => [event, listener as () => void] as const),
  );
  // A new listener makes Node hand the bytes over in JavaScript instead of to its native parser.
  const hold = (): void => undefined;
  socket.on('data', hold);
  for (const [event, listener] of parserListeners) socket.off(event, listener);
  socket.pause();
  socket.off('data', hold);
}

function writeHead({ response }: Exchange, socket: Socket, [status = '', ...more]: readonly string[]): void {
  const headers = Object.entries(response.getHeaders()).map(([name, value]) => `${name}: ${String(value)}`);
  response.detachSocket(socket as Parameters<typeof response.detachSocket>[0]);
  socket.write(`${[`HTTP/1.1 ${status}`, ...headers, ...more].join('\r\n')}\r\n\r\n`);
}
