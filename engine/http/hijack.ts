/**
 * Attach and exec turn an HTTP exchange into a plain byte stream in both directions. A client that asks for it
 * (`Connection: Upgrade`, `Upgrade: tcp`) is answered 101; an older one gets 200 and the bytes follow (source: Engine API,
 * "Attach to a container", Hijacking).
 */
import { Duplex } from 'node:stream';
import type { Exchange } from './exchange.ts';

export const rawStream = 'application/vnd.docker.raw-stream';
export const multiplexedStream = 'application/vnd.docker.multiplexed-stream';

/** Takes the connection over. Half close works both ways: the end of the client's side is end of input, not of output. */
export function hijack(exchange: Exchange, options: { readonly isFramed: boolean }): Duplex {
  const { upgrade, response, request } = exchange;
  if (upgrade === null) {
    // Without an upgrade the type never says that the stream is framed, though it is: clients of that kind know it.
    response.useChunkedEncodingByDefault = false;
    response.writeHead(200, { 'Content-Type': rawStream, Connection: 'close' });
    response.flushHeaders();
    return Duplex.from({ readable: request, writable: response });
  }
  const type = options.isFramed && exchange.isSince('1.42') ? multiplexedStream : rawStream;
  const { socket, head } = upgrade;
  const headers = Object.entries(response.getHeaders()).map(([name, value]) => `${name}: ${String(value)}\r\n`);
  response.detachSocket(socket as Parameters<typeof response.detachSocket>[0]);
  socket.write(
    `HTTP/1.1 101 UPGRADED\r\n${headers.join('')}Content-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}
