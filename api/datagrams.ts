/**
 * Datagrams through a byte stream, for UDP ports of containers that are reached from another computer: two bytes of length, four
 * bytes for who (a number that the side towards the clients chooses), then the payload. All numbers big-endian; a word of our own,
 * not of Docker's API (`POST /skiff/udp?address=…&port=…`, upgraded as an attach is).
 */
export interface Datagram {
  readonly client: number;
  readonly payload: Buffer;
}

const headerBytes = 6;
export const maxDatagramBytes = 65_535;

export function encodeDatagram({ client, payload }: Datagram): Buffer {
  const bytes = Buffer.allocUnsafe(headerBytes + payload.length);
  bytes.writeUInt16BE(payload.length, 0);
  bytes.writeUInt32BE(client, 2);
  payload.copy(bytes, headerBytes);
  return bytes;
}

/** Chunks may be cut anywhere. */
export class DatagramDecoder {
  #held: Buffer = Buffer.alloc(0);

  /** Those that `chunk` completes. */
  push(chunk: Buffer): readonly Datagram[] {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const datagrams: Datagram[] = [];
    let at = 0;
    while (at + headerBytes <= bytes.length) {
      const end = at + headerBytes + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      datagrams.push({ client: bytes.readUInt32BE(at + 2), payload: bytes.subarray(at + headerBytes, end) });
      at = end;
    }
    this.#held = bytes.subarray(at);
    return datagrams;
  }
}
