/** A websocket as a plain byte stream: binary messages, never framed as attach frames its streams (source: Engine API, attach/ws). */
import type { IncomingMessage } from 'node:http';
import { Duplex, Transform } from 'node:stream';
import { FrameDecoder } from '../../api/framing.ts';
import { invalid } from '../model/errors.ts';
import type { Exchange } from './exchange.ts';

/** Largest message of a client: a paste into a terminal is far below it. */
const maxMessageBytes = 1024 * 1024;

/** `isFramed`: what is written comes in frames, and loses them. Throws `invalid` when the client asked for no websocket. */
export async function takeWebSocket(exchange: Exchange, options: { readonly isFramed: boolean }): Promise<Duplex> {
  const { upgrade, request, response } = exchange;
  if (upgrade === null) throw invalid('not websocket protocol');
  // Few ask for one, and the engine starts faster without it.
  const { createWebSocketStream, WebSocketServer } = await import('ws');
  response.detachSocket(upgrade.socket as Parameters<typeof response.detachSocket>[0]);
  const server = new WebSocketServer({ noServer: true, maxPayload: maxMessageBytes, perMessageDeflate: false });
  const socket = await new Promise<Duplex>((resolve, reject) => {
    const onClose = (): void => reject(new Error('the client left during the websocket handshake'));
    upgrade.socket.once('close', onClose);
    server.handleUpgrade(request satisfies IncomingMessage, upgrade.socket, upgrade.head, (client) => {
      upgrade.socket.off('close', onClose);
      resolve(createWebSocketStream(client));
    });
  });
  if (!options.isFramed) return socket;
  const decoder = new FrameDecoder();
  const unframe = new Transform({
    transform(bytes: Buffer, _encoding, done) {
      for (const { payload } of decoder.push(bytes)) this.push(payload);
      done();
    },
  });
  unframe.pipe(socket);
  return Duplex.from({ readable: socket, writable: unframe });
}
