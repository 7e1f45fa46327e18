/** Those attached to one container: its output goes to each of them, their input to it. */
import type { Socket } from 'node:net';
import { frameHeader } from '../../api/framing.ts';
import type { FdWriter } from '../kernel/fd-writer.ts';
import { InputDecoder } from './attachment-stream.ts';
import type { AttachRequest, StreamName } from './monitor.ts';

/** Beyond this a client that the container waits for makes it wait (Docker's own figure, a million bytes, is alike). */
const waitBytes = 1024 * 1024;
/** Beyond this a client that only looks on has so much time to take all of it; the container waits so long, and no longer. */
const behindBytes = 8 * 1024 * 1024;
const behindTimeoutMs = 2000;
/** How much input is taken from a client before the container takes it. */
const inputBytes = 256 * 1024;

export interface Stdin {
  readonly writer: FdWriter;
  readonly closesWithFirstClient: boolean;
}

export class Audience {
  readonly #clients = new Set<Client>();
  readonly #onRoom: () => void;
  #framing: 'frames' | 'raw' = 'frames';
  #stdin: Stdin | null | 'not-yet' = 'not-yet';

  /** `onRoom` is called when a client that the container waited for has taken something, or left. */
  constructor(onRoom: () => void) {
    this.#onRoom = onRoom;
  }

  get size(): number {
    return this.#clients.size;
  }

  /** True while the container must wait. */
  get isFull(): boolean {
    for (const client of this.#clients) if (client.isWaitedFor) return true;
    return false;
  }

  /** `early`: bytes that came with the request already. */
  join(socket: Socket, request: AttachRequest, early: Buffer): void {
    const client = new Client(socket, request, {
      left: () => {
        this.#clients.delete(client);
        this.#onRoom();
      },
      room: this.#onRoom,
    });
    this.#clients.add(client);
    if (early.length > 0) client.receive(early);
    if (this.#stdin !== 'not-yet') client.connectStdin(this.#stdin);
  }

  /** The container runs: input may flow. Null: it has no stdin. */
  begin(framing: 'frames' | 'raw', stdin: Stdin | null): void {
    this.#framing = framing;
    this.#stdin = stdin;
    for (const client of this.#clients) client.connectStdin(stdin);
  }

  /** The bytes are copied. */
  send(stream: 'stdout' | 'stderr', bytes: Buffer): void {
    let packet: Buffer | null = null;
    for (const client of this.#clients) {
      if (!client.wants(stream)) continue;
      packet ??=
        this.#framing === 'raw' ? Buffer.from(bytes) : Buffer.concat([frameHeader(stream, bytes.length), bytes]);
      client.send(packet);
    }
  }

  /** No more output: each client gets what it has not taken yet, and then the end. */
  end(): void {
    for (const client of this.#clients) client.end();
  }

  /** Cuts everybody off. */
  destroy(): void {
    for (const client of this.#clients) client.destroy();
  }
}

interface ClientEvents {
  left(): void;
  room(): void;
}

class Client {
  readonly #socket: Socket;
  readonly #request: AttachRequest;
  #stdin: Stdin | null = null;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  readonly #decoder = new InputDecoder();
  #input: 'early' | 'early-ended' | 'connected' | 'ended' = 'early';
  #behind: NodeJS.Timeout | null = null;

  constructor(socket: Socket, request: AttachRequest, events: ClientEvents) {
    this.#socket = socket;
    this.#request = request;
    socket.on('data', (bytes) => this.receive(bytes));
    socket.on('drain', () => {
      this.#caughtUp();
      events.room();
    });
    // The close event follows and does all there is to do: a client that ends or breaks off has detached.
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      this.#caughtUp();
      this.#inputEnded();
      events.left();
    });
    socket.resume();
  }

  get isWaitedFor(): boolean {
    return this.#behind !== null || (this.#request.whenSlow === 'wait' && this.#socket.writableLength > waitBytes);
  }

  wants(stream: StreamName): boolean {
    return this.#request.wants.includes(stream);
  }

  receive(chunk: Buffer): void {
    for (const bytes of this.#decoder.push(chunk)) {
      if (bytes === null) this.#inputEnded();
      else if (this.wants('stdin')) this.#take(bytes);
    }
  }

  #take(bytes: Buffer): void {
    if (this.#input === 'early') {
      this.#early.push(bytes);
      this.#earlyBytes += bytes.length;
      if (this.#earlyBytes > inputBytes) this.#socket.pause();
      return;
    }
    const writer = this.#stdin?.writer;
    if (this.#input !== 'connected' || writer === undefined) return;
    writer.write(bytes);
    if (writer.queuedBytes > inputBytes) {
      this.#socket.pause();
      writer.onceWritten(() => this.#socket.resume());
    }
  }

  connectStdin(stdin: Stdin | null): void {
    const hasEnded = this.#input === 'early-ended';
    this.#stdin = stdin;
    this.#input = 'connected';
    for (const bytes of this.#early) this.#take(bytes);
    this.#early = [];
    if (hasEnded) this.#inputEnded();
    else if (this.#earlyBytes > inputBytes && (stdin?.writer.queuedBytes ?? 0) <= inputBytes) this.#socket.resume();
  }

  send(packet: Buffer): void {
    if (this.#socket.destroyed) return;
    this.#socket.write(packet);
    if (this.#request.whenSlow === 'wait' || this.#socket.writableLength <= behindBytes) return;
    this.#behind ??= setTimeout(() => this.#socket.destroy(), behindTimeoutMs);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #caughtUp(): void {
    if (this.#behind !== null) clearTimeout(this.#behind);
    this.#behind = null;
  }

  #inputEnded(): void {
    if (this.#input === 'early') {
      this.#input = 'early-ended';
      return;
    }
    if (this.#input !== 'connected') return;
    this.#input = 'ended';
    if (this.wants('stdin') && this.#stdin?.closesWithFirstClient === true) this.#stdin.writer.end();
  }
}
