/**
 * How the stream to the user's computer gets from skiffd to the program of shared folders: as a descriptor, so that no byte of a file passes
 * through skiffd, which would take longer over it than all others together. skiffd says what number it has the connection by, the program takes
 * a copy (pidfd_getfd), skiffd lets go of its own and says so; then the program begins to ask. The socket over which they agreed lives as long as
 * the stream does: the end of either is the end of the other.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { takeDescriptor } from '../kernel/pidfd.ts';
import { readLines, writeLine } from '../kernel/socket-lines.ts';
import { connectTo, handedSocket } from './wire.ts';

type Offer = { readonly pid: number; readonly fd: number } | { readonly isYours: true };
interface Answer {
  readonly isTaken: boolean;
}

const answerMs = 5_000;

/** skiffd's side: what stands for the stream from now on; null where it cannot be handed over, and is as it was. */
export async function handOver(stream: Duplex, folder: string): Promise<Socket | null> {
  const fd = descriptorOf(stream);
  const socket = fd === null ? null : await connectTo(handedSocket(folder));
  if (fd === null || socket === null) return null;
  const isTaken = new Promise<boolean>((resolve) => {
    readLines(socket, (answer) => resolve((answer as Answer).isTaken));
    socket.on('error', () => socket.destroy());
    socket.once('end', () => socket.destroy());
    socket.once('close', () => resolve(false));
  });
  writeLine(socket, { pid: process.pid, fd } satisfies Offer);
  const timer = setTimeout(() => socket.destroy(), answerMs);
  const isOurs = await isTaken;
  clearTimeout(timer);
  // One that ended meanwhile may have left its number to another connection.
  if (!isOurs || stream.destroyed || stream.readableLength > 0) {
    socket.destroy();
    return null;
  }
  stream.destroy();
  writeLine(socket, { isYours: true } satisfies Offer);
  return socket;
}

/** The program's side of one such socket. */
export function takeOver(socket: Socket, onStream: (stream: Socket) => void): void {
  let held: number | null = null;
  socket.on('error', () => socket.destroy());
  socket.once('end', () => socket.destroy());
  socket.once('close', () => {
    if (held !== null) closeSync(held);
    held = null;
  });
  readLines(socket, (message) => {
    const offer = message as Offer;
    if (!('isYours' in offer)) {
      held ??= copyOf(offer);
      writeLine(socket, { isTaken: held !== null } satisfies Answer);
    } else if (held !== null) {
      const stream = new Socket({ fd: held, readable: true, writable: true });
      held = null;
      socket.once('close', () => stream.destroy());
      stream.once('close', () => socket.destroy());
      onStream(stream);
    }
  });
}

/** Null where this process may not, or its kernel cannot (before 5.6). */
function copyOf({ pid, fd }: { readonly pid: number; readonly fd: number }): number | null {
  try {
    return takeDescriptor(pid, fd);
  } catch {
    return null;
  }
}

/** Null for what is more than a socket: encrypted, or with bytes in hand. Node keeps the number to itself, and has for ten years in the same place. */
function descriptorOf(stream: Duplex): number | null {
  if (!(stream instanceof Socket) || stream instanceof TLSSocket) return null;
  if (stream.destroyed || stream.readableLength > 0 || stream.writableLength > 0) return null;
  const handle: unknown = Reflect.get(stream, '_handle');
  const fd: unknown = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : null;
  return typeof fd === 'number' && fd > 2 ? fd : null;
}
