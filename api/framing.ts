/**
 * stdout and stderr of a container without a terminal share one connection as frames: a byte for the stream, three zero
 * bytes, the payload's length as a big-endian 32-bit number, then the payload (source: Engine API, "Attach to a container").
 */

/** `error` carries a message of the engine itself, sent when something fails after the status line has gone out. */
export type FrameStream = 'stdin' | 'stdout' | 'stderr' | 'error';

export interface Frame {
  readonly stream: FrameStream;
  readonly payload: Buffer;
}

export const frameHeaderBytes = 8;

/** A length above this is no frame but bytes of something else: refusing it bounds what a broken peer can make us hold. */
export const maxFramePayloadBytes = 64 * 1024 * 1024;

const streams: readonly FrameStream[] = ['stdin', 'stdout', 'stderr', 'error'];

export function frameHeader(stream: FrameStream, payloadBytes: number): Buffer {
  const header = Buffer.alloc(frameHeaderBytes);
  header[0] = streams.indexOf(stream);
  header.writeUInt32BE(payloadBytes, 4);
  return header;
}

/** Writes a header at `at`; returns where the payload begins. */
export function writeFrameHeader(
  target: Buffer,
  at: number,
  frame: { readonly stream: FrameStream; readonly payloadBytes: number },
): number {
  target.writeUInt32BE(streams.indexOf(frame.stream) << 24, at);
  return target.writeUInt32BE(frame.payloadBytes, at + 4);
}

export class FramingError extends Error {
  override readonly name = 'FramingError';
}

/** Splits a byte stream into frames; chunks may be cut anywhere. Payload parts of one frame are given out when it is whole. */
export class FrameDecoder {
  #parts: Buffer[] = [];
  #heldBytes = 0;
  /** Below this there is nothing to take: parts of a large frame are joined once, not with every chunk. */
  #wantedBytes = frameHeaderBytes;

  /** Frames that `chunk` completes. Throws FramingError when the bytes cannot be frames. */
  push(chunk: Buffer): Frame[] {
    this.#parts.push(chunk);
    this.#heldBytes += chunk.length;
    const frames: Frame[] = [];
    for (;;) {
      const frame = this.#take();
      if (frame === null) return frames;
      frames.push(frame);
    }
  }

  /** True when the stream ended inside a frame. */
  get isInsideFrame(): boolean {
    return this.#heldBytes > 0;
  }

  #take(): Frame | null {
    if (this.#heldBytes < this.#wantedBytes) return null;
    const held = this.#parts.length === 1 && this.#parts[0] ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [held];
    const stream = streams[held[0] ?? -1];
    const payloadBytes = held.readUInt32BE(4);
    if (
      stream === undefined ||
      held[1] !== 0 ||
      held[2] !== 0 ||
      held[3] !== 0 ||
      payloadBytes > maxFramePayloadBytes
    ) {
      throw new FramingError('the stream is not framed: is the container one with a terminal?');
    }
    const end = frameHeaderBytes + payloadBytes;
    this.#wantedBytes = end;
    if (held.length < end) return null;
    this.#wantedBytes = frameHeaderBytes;
    this.#parts = held.length === end ? [] : [held.subarray(end)];
    this.#heldBytes = held.length - end;
    return { stream, payload: held.subarray(frameHeaderBytes, end) };
  }
}
