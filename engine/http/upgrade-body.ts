/**
 * The body of a request that asks for an upgrade. Node's parser stops after the headers then and leaves everything to the
 * socket, but docker's clients send the JSON of an exec before they switch: what follows it is the command's input.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { invalid } from '../model/errors.ts';

interface Body {
  readonly bytes: Buffer;
  /** What the client has already sent after it. */
  readonly rest: Buffer;
}

/** `head`: what came with the headers. Throws `invalid` for a body that is too long or ends early. */
export async function readUpgradeBody(
  request: IncomingMessage,
  connection: { readonly socket: Duplex; readonly head: Buffer },
  maxBytes: number,
): Promise<Body> {
  const length = Number(request.headers['content-length'] ?? 0);
  const isChunked = request.headers['transfer-encoding']?.toLowerCase() === 'chunked';
  if (!Number.isSafeInteger(length) || length < 0) throw invalid('invalid Content-Length header');
  let held = connection.head;
  for (;;) {
    const body = isChunked ? unchunk(held) : takeLength(held, length);
    if (body !== null) return body;
    if (held.length > maxBytes) throw invalid(`the request body is larger than ${maxBytes} bytes`);
    held = Buffer.concat([held, await nextBytes(connection.socket)]);
  }
}

function takeLength(held: Buffer, length: number): Body | null {
  return held.length < length ? null : { bytes: held.subarray(0, length), rest: held.subarray(length) };
}

/** Null when there is not all of it yet (source: RFC 9112, 7.1; trailers are passed over). */
function unchunk(held: Buffer): Body | null {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = held.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = held.toString('latin1', at, lineEnd).split(';', 1)[0]?.trim() ?? '';
    if (!/^[0-9a-f]{1,8}$/i.test(size)) throw invalid('invalid chunked request body');
    const start = lineEnd + 2;
    const end = start + Number.parseInt(size, 16);
    if (end === start) {
      const bodyEnd = held.indexOf('\r\n\r\n', lineEnd);
      return bodyEnd === -1 ? null : { bytes: Buffer.concat(parts), rest: held.subarray(bodyEnd + 4) };
    }
    if (held.length < end + 2) return null;
    parts.push(held.subarray(start, end));
    at = end + 2;
  }
}

function nextBytes(socket: Duplex): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const done = (): void =>
      void socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onEnd);
    const onData = (bytes: Buffer): void => {
      socket.pause();
      done();
      resolve(bytes);
    };
    const onEnd = (): void => {
      done();
      reject(invalid('the request body ended early'));
    };
    const onError = (error: Error): void => {
      done();
      reject(error);
    };
    socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onEnd);
  });
}
