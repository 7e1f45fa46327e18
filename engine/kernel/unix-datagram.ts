/** Datagrams to a unix socket, which Node's dgram does not have: how the local syslog and the journal are spoken to. */
import { closeSync } from 'node:fs';
import { endianness } from 'node:os';
import { systemCall } from './libc.ts';

const socketCall = systemCall<[number, number, number]>('int socket(int domain, int type, int protocol)');
const connectCall = systemCall<[number, Buffer, number]>('int connect(int fd, void *address, unsigned int length)');
const sendCall = systemCall<[number, Buffer, number, number]>(
  'long send(int fd, void *data, size_t length, int flags)',
);

const unixDomain = 1;
const datagramSocket = 2;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const noSignal = 0x4000;
const maxPathBytes = 107;

export class UnixDatagram implements Disposable {
  readonly #path: string;
  #fd: number | null;

  /** Throws a SystemCallError when nobody listens there. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = connected(path);
  }

  /** Sends at once or throws: EAGAIN when the other side does not keep up. One that was started anew is found again. */
  send(bytes: Buffer): void {
    try {
      this.#sendOnce(bytes);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ECONNREFUSED' && code !== 'ENOTCONN' && code !== 'ECONNRESET') throw error;
      this[Symbol.dispose]();
      this.#fd = connected(this.#path);
      this.#sendOnce(bytes);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
  }

  #sendOnce(bytes: Buffer): void {
    this.#fd ??= connected(this.#path);
    sendCall(this.#path, this.#fd, bytes, bytes.length, noSignal);
  }
}

function connected(path: string): number {
  const address = Buffer.alloc(2 + maxPathBytes + 1);
  const length = Buffer.byteLength(path);
  if (length > maxPathBytes)
    throw new Error(`the path ${path} is too long for a socket: at most ${maxPathBytes} bytes`);
  address.write(path, 2);
  if (endianness() === 'LE') address.writeUInt16LE(unixDomain, 0);
  else address.writeUInt16BE(unixDomain, 0);
  const fd = socketCall(path, unixDomain, datagramSocket | closeOnExec | nonBlocking, 0);
  try {
    connectCall(path, fd, address, 2 + length + 1);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
