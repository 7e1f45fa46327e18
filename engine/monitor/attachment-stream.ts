/**
 * The bytes of an attach connection. Output comes as it is. Input goes in pieces, each with its length before it, and an
 * empty one for its end: so the connection itself stays open for output, and its closing means that the client has gone.
 * With a half-closed connection instead, a client that left a silent container would never be noticed.
 */
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';

const lengthBytes = 4;
const inputEnd = Buffer.alloc(lengthBytes);

/** skiffd's end: an ordinary stream. */
export class AttachmentStream extends Duplex {
  readonly #socket: Socket;

  /** `socket` is paused. */
  constructor(socket: Socket) {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    let state: 'flowing' | 'ended' = 'flowing';
    const end = (): void => {
      if (state === 'flowing') this.push(null);
      state = 'ended';
    };
    socket.on('data', (bytes: Buffer) => {
      if (!this.push(bytes)) socket.pause();
    });
    // A connection that breaks is told by its end, also to those who do not listen for errors.
    socket.on('error', () => socket.destroy());
    socket.on('end', end);
    socket.on('close', end);
    // The container has ended, or we were cut off: there is nobody to read what might still be written.
    this.once('end', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  /** What cannot be written any more is dropped: a container may end before it has read all its input. */
  override _write(bytes: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (bytes.length === 0 || !this.#socket.writable) return done();
    const length = Buffer.alloc(lengthBytes);
    length.writeUInt32BE(bytes.length);
    this.#socket.cork();
    this.#socket.write(length);
    this.#socket.write(bytes, () => done());
    this.#socket.uncork();
  }

  override _final(done: () => void): void {
    if (!this.#socket.writable) return done();
    this.#socket.write(inputEnd, () => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}

/** The monitor's end: takes the pieces apart; chunks may be cut anywhere. */
export class InputDecoder {
  #header = Buffer.alloc(lengthBytes);
  #headerBytes = 0;
  #left = 0;

  /** `null` stands for the end of input. */
  *push(chunk: Buffer): Generator<Buffer | null, void, void> {
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const piece = chunk.subarray(at, at + this.#left);
        this.#left -= piece.length;
        at += piece.length;
        yield piece;
        continue;
      }
      const copied = chunk.copy(this.#header, this.#headerBytes, at);
      this.#headerBytes += copied;
      at += copied;
      if (this.#headerBytes < lengthBytes) return;
      this.#headerBytes = 0;
      this.#left = this.#header.readUInt32BE(0);
      if (this.#left === 0) yield null;
    }
  }
}
