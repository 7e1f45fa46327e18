/** DNS over TCP: each message behind its length in two bytes (source: RFC 1035, 4.2.2). */
export function framed(message: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(2 + message.length);
  bytes.writeUInt16BE(message.length, 0);
  message.copy(bytes, 2);
  return bytes;
}

/** Cuts what comes into messages. */
export class FramedMessages {
  readonly #onMessage: (message: Buffer) => void;
  #held: Buffer = Buffer.alloc(0);

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
    while (this.#held.length >= 2) {
      const end = 2 + this.#held.readUInt16BE(0);
      if (this.#held.length < end) return;
      const message = this.#held.subarray(2, end);
      this.#held = this.#held.subarray(end);
      this.#onMessage(message);
    }
  }
}
