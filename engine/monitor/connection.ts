/** skiffd's connection to one monitor process. */
import { createConnection, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { EngineError } from '../model/errors.ts';
import type { Instant } from '../model/time.ts';
import { AttachmentStream } from './attachment-stream.ts';
import type { AttachRequest, ExecExit, ExitRecord } from './monitor.ts';
import {
  encodeLine,
  fromWireError,
  fromWireExecExit,
  fromWireExit,
  instant,
  LineSplitter,
  oldestProtocolVersion,
  protocolVersion,
  type Answer,
  type Call,
  type ExecExitEvent,
  type ExitEvent,
  type Greeting,
  type Hello,
} from './wire.ts';

const connectTimeoutMs = 5000;

export interface ConnectionEvents {
  onExit(record: ExitRecord): void;
  onExecExit(exit: ExecExit): void;
  onClose(): void;
}

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class MonitorConnection implements Disposable {
  readonly path: string;
  readonly build: string;
  readonly pid: number;
  readonly protocol: number;
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  #seq = 0;

  private constructor(path: string, socket: Socket, greeting: Greeted['greeting']) {
    this.path = path;
    this.build = greeting.build;
    this.pid = greeting.pid;
    this.protocol = greeting.protocol;
    this.#socket = socket;
  }

  /** Null when nobody listens there (any more). `unavailable` when it speaks another protocol or does not answer. */
  static async open(path: string, events: ConnectionEvents): Promise<MonitorConnection | null> {
    const opened = await greet(path, { protocol: protocolVersion, role: 'control' });
    if (opened === null) return null;
    const { socket, greeting, lines } = opened;
    const connection = new MonitorConnection(path, socket, greeting);
    const take = (): void => {
      for (;;) {
        const message = lines.next() as Answer | ExitEvent | ExecExitEvent | undefined;
        if (message === undefined) return;
        if (!('event' in message)) connection.#settle(message);
        else if (message.event === 'exit') events.onExit(fromWireExit(message.record));
        else events.onExecExit(fromWireExecExit(message.exit));
      }
    };
    socket.on('data', (bytes) => {
      lines.push(bytes);
      take();
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      connection.#abandon();
      events.onClose();
    });
    take();
    socket.resume();
    return connection;
  }

  async call(call: Call, timeoutMs: number): Promise<unknown> {
    if (!this.#socket.writable) throw lost();
    this.#seq += 1;
    const seq = this.#seq;
    const answer = new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(seq);
        reject(new EngineError('unavailable', `the monitor did not answer ${call.op} within ${timeoutMs} ms`));
      }, timeoutMs);
      this.#pending.set(seq, { resolve, reject, timer });
    });
    this.#socket.write(encodeLine({ ...call, seq }));
    return await answer;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.seq);
    if (pending === undefined) return;
    this.#pending.delete(answer.seq);
    clearTimeout(pending.timer);
    if ('error' in answer) pending.reject(fromWireError(answer.error));
    else pending.resolve(answer.ok);
  }

  #abandon(): void {
    for (const { reject, timer } of this.#pending.values()) {
      clearTimeout(timer);
      reject(lost());
    }
    this.#pending.clear();
  }
}

/** The monitor ended, or cut us off, before it answered. */
export class MonitorLostError extends EngineError {
  constructor() {
    super('unavailable', 'the connection to the monitor was lost');
  }
}

function lost(): EngineError {
  return new MonitorLostError();
}

/** Opens the connection of one attached client. */
export async function openAttachment(
  path: string,
  request: AttachRequest,
): Promise<{ readonly stream: Duplex; readonly loggedUntil: Instant | null }> {
  const opened = await greet(path, { protocol: protocolVersion, role: 'attach', attach: request });
  if (opened === null) throw lost();
  const rest = opened.lines.rest();
  if (rest.length > 0) opened.socket.unshift(rest);
  const { loggedUntil } = opened.greeting;
  return {
    stream: new AttachmentStream(opened.socket),
    loggedUntil: loggedUntil === undefined ? null : instant(loggedUntil),
  };
}

interface Greeted {
  readonly socket: Socket;
  readonly greeting: Exclude<Greeting, { readonly error: unknown }>;
  readonly lines: LineSplitter;
}

async function greet(path: string, hello: Hello): Promise<Greeted | null> {
  const socket = createConnection({ path });
  const lines = new LineSplitter();
  const answered = new Promise<Greeting | null>((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData).off('error', onError).off('close', onClose);
      act();
    };
    const late = (): void =>
      settle(() => reject(new EngineError('unavailable', `the monitor at ${path} does not answer`)));
    const timer = setTimeout(late, connectTimeoutMs);
    const onData = (bytes: Buffer): void => {
      lines.push(bytes);
      try {
        const greeting = lines.next() as Greeting | undefined;
        if (greeting === undefined) return;
        // Whoever gets the socket reads on from here.
        socket.pause();
        settle(() => resolve(greeting));
      } catch (error) {
        settle(() => reject(error as Error));
      }
    };
    const onError = (error: NodeJS.ErrnoException): void => {
      const isGone = error.code === 'ECONNREFUSED' || error.code === 'ENOENT' || error.code === 'ECONNRESET';
      settle(() => (isGone ? resolve(null) : reject(error)));
    };
    const onClose = (): void => settle(() => resolve(null));
    socket.on('data', onData).on('error', onError).on('close', onClose);
  });
  socket.write(encodeLine(hello));
  try {
    const greeting = await answered;
    if (greeting === null) {
      socket.destroy();
      return null;
    }
    if ('error' in greeting) throw fromWireError(greeting.error);
    if (greeting.protocol < oldestProtocolVersion || greeting.protocol > protocolVersion)
      throw new EngineError(
        'unavailable',
        `the monitor at ${path} (process ${greeting.pid}) speaks protocol ${greeting.protocol}, this engine ${oldestProtocolVersion} to ${protocolVersion}: run an engine of its build until its containers have ended`,
      );
    return { socket, greeting, lines };
  } catch (error) {
    socket.destroy();
    throw error;
  }
}
