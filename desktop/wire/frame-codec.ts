/**
 * Frames as WebSocket messages. A frame without bytes is one text message of JSON. A frame with bytes is one binary message:
 * the length of a JSON header (32 bits, big-endian), the header `{ frame, bytes: [[path, length], ...] }` in which each
 * byte array is null, then the arrays themselves in that order. So bytes are never base64, and no value of the frame can be
 * mistaken for a placeholder.
 */
import { z } from '../contract/zod.ts';
import { mapBytes, putBytes, type Path } from './bytes.ts';

const headerShape = z.strictObject({
  frame: z.unknown(),
  bytes: z.array(z.tuple([z.array(z.union([z.string(), z.int()])).max(100), z.int().nonnegative()])).max(10_000),
});

export class MalformedFrame extends Error {
  override readonly name = 'MalformedFrame';
}

export function encodeFrame(frame: object): string | Uint8Array<ArrayBuffer> {
  const found: { path: Path; bytes: Uint8Array }[] = [];
  const plain = mapBytes(frame, (bytes, path) => {
    found.push({ path, bytes });
    return null;
  });
  if (found.length === 0) return JSON.stringify(frame);
  const header = new TextEncoder().encode(
    JSON.stringify({ frame: plain, bytes: found.map(({ path, bytes }) => [path, bytes.byteLength]) }),
  );
  const sizeBytes = found.reduce((sum, { bytes }) => sum + bytes.byteLength, 4 + header.byteLength);
  const message = new Uint8Array(sizeBytes);
  new DataView(message.buffer).setUint32(0, header.byteLength);
  message.set(header, 4);
  let offset = 4 + header.byteLength;
  for (const { bytes } of found) {
    message.set(bytes, offset);
    offset += bytes.byteLength;
  }
  return message;
}

/** Throws MalformedFrame for what `encodeFrame` cannot have made. */
export function decodeFrame(message: string | Uint8Array): unknown {
  if (typeof message === 'string') return parseJson(message);
  if (message.byteLength < 4) throw new MalformedFrame('a binary message is shorter than its header');
  const headerBytes = new DataView(message.buffer, message.byteOffset).getUint32(0);
  if (headerBytes > message.byteLength - 4) throw new MalformedFrame('a binary message is cut in its header');
  const text = new TextDecoder('utf-8').decode(message.subarray(4, 4 + headerBytes));
  const header = headerShape.safeParse(parseJson(text));
  if (!header.success) throw new MalformedFrame('the header of a binary message is of no known form');
  let offset = 4 + headerBytes;
  for (const [path, sizeBytes] of header.data.bytes) {
    if (offset + sizeBytes > message.byteLength) throw new MalformedFrame('a binary message is cut in its bytes');
    if (!putBytes(header.data.frame, path, message.slice(offset, offset + sizeBytes))) {
      throw new MalformedFrame('a binary message puts bytes where there is no place for them');
    }
    offset += sizeBytes;
  }
  if (offset !== message.byteLength) throw new MalformedFrame('a binary message is longer than it says');
  return header.data.frame;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new MalformedFrame('a message is not JSON', { cause });
  }
}
