/** Terminals of containers: crun makes them inside and hands the master over a unix socket (SCM_RIGHTS). */
import koffi from 'koffi';
import { closeSync, unlinkSync } from 'node:fs';
import { endianness } from 'node:os';
import { systemCall } from './libc.ts';
import { watchFd, type Watch } from './poll.ts';

const makeSocket = systemCall<[number, number, number]>('int socket(int domain, int type, int protocol)');
const bind = systemCall<[number, Buffer, number]>('int bind(int fd, void *address, uint length)');
const listen = systemCall<[number, number]>('int listen(int fd, int backlog)');
const accept = systemCall<[number, null, null, number]>('int accept4(int fd, void *address, void *length, int flags)');
const receive = systemCall<[number, Buffer, number]>('long recvmsg(int fd, void *message, int flags)');
const ioctl = systemCall<[number, number, Buffer]>('int ioctl(int fd, ulong request, void *argument)');

const unixDomain = 1;
const streamSocket = 1;
const closeOnExec = 0o2000000;
const nonBlocking = 0o4000;
const receiveCloseOnExec = 0x40000000;
const socketLevel = 1;
const rights = 1;
const setWindowSize = 0x5414;
/** The kernel's limit for a socket's path, its terminating zero included. */
export const socketPathBytes = 108;

/** A socket at `path` on which one descriptor is awaited. The path must be shorter than 108 bytes. */
export class ConsoleSocket implements Disposable {
  readonly path: string;
  readonly #fds: number[] = [];
  readonly #watches: Watch[] = [];
  #state: 'listening' | 'closed' = 'listening';

  /** `onTerminal` is called once with the terminal's master, which the callee then owns. */
  constructor(path: string, onTerminal: (master: number) => void) {
    const address = Buffer.alloc(256);
    const length = address.write(path, 2);
    if (length >= socketPathBytes)
      throw new Error(`the path ${path} is too long for a socket: ${length} bytes, at most ${socketPathBytes - 1}`);
    if (endianness() === 'LE') address.writeUInt16LE(unixDomain, 0);
    else address.writeUInt16BE(unixDomain, 0);
    this.path = path;
    const fd = makeSocket(path, unixDomain, streamSocket | closeOnExec | nonBlocking, 0);
    this.#fds.push(fd);
    try {
      bind(path, fd, address, 2 + length + 1);
      listen(path, fd, 1);
    } catch (error) {
      closeSync(fd);
      throw error;
    }
    const server = watchFd(fd, 'readable', () => {
      server.stop();
      const peer = accept(path, fd, null, null, closeOnExec | nonBlocking);
      this.#fds.push(peer);
      const incoming = watchFd(peer, 'readable', () => {
        incoming.stop();
        const master = receiveDescriptor(peer);
        if (master !== null) onTerminal(master);
      });
      this.#watches.push(incoming);
    });
    this.#watches.push(server);
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const watch of this.#watches) watch[Symbol.dispose]();
    for (const fd of this.#fds) closeSync(fd);
    unlinkSync(this.path);
  }
}

/** Null when the message carries no descriptor. Layouts: recvmsg(2), cmsg(3), 64 bits. */
function receiveDescriptor(socket: number): number | null {
  const payload = Buffer.alloc(256);
  const control = Buffer.alloc(256);
  const vector = Buffer.alloc(256);
  const message = Buffer.alloc(256);
  const words = (buffer: Buffer): DataView => new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const little = endianness() === 'LE';
  words(vector).setBigUint64(0, koffi.address(payload), little);
  words(vector).setBigUint64(8, BigInt(payload.length), little);
  words(message).setBigUint64(16, koffi.address(vector), little);
  words(message).setBigUint64(24, 1n, little);
  words(message).setBigUint64(32, koffi.address(control), little);
  words(message).setBigUint64(40, BigInt(control.length), little);
  receive('of a terminal', socket, message, receiveCloseOnExec);
  const header = words(control);
  const length = header.getBigUint64(0, little);
  const isDescriptor = header.getInt32(8, little) === socketLevel && header.getInt32(12, little) === rights;
  return length >= 20n && isDescriptor ? header.getInt32(16, little) : null;
}

/** Tells a terminal how large its window is; the kernel signals the processes in front (SIGWINCH). */
export function resizeTerminal(master: number, size: { readonly columns: number; readonly rows: number }): void {
  const window = Buffer.alloc(256);
  const words = new Uint16Array(window.buffer, window.byteOffset, 4);
  words.set([size.rows, size.columns, 0, 0]);
  ioctl('TIOCSWINSZ', master, setWindowSize, window);
}
