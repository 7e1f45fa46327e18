import { type Socket, createConnection } from 'node:net';
import { EngineError } from '../../model/errors.ts';
import { readLines, writeLine } from '../../kernel/socket-lines.ts';
import type { Answer, Call, Greeting } from './wire.ts';

const timeoutMs = 10_000;

/** skiffd's connection to a name server. */
export class NameServerConnection implements Disposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, { resolve(failed: readonly string[]): void; reject(error: Error): void }>();
  readonly #closed: Promise<void>;
  #sequence = 0;

  private constructor(socket: Socket, onClose: () => void) {
    this.#socket = socket;
    this.#closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const { reject } of this.#pending.values()) reject(lost());
        this.#pending.clear();
        resolve();
        onClose();
      });
    });
  }

  /** Null when nobody listens there. Throws `unavailable` for one that does not greet in time. */
  static async open(path: string, onClose: () => void): Promise<NameServerConnection | null> {
    const socket = createConnection({ path });
    return await new Promise((resolve, reject) => {
      let opened: NameServerConnection | null = null;
      const timer = setTimeout(() => {
        socket.destroy();
        reject(new EngineError('unavailable', `the name server at ${path} does not answer`));
      }, timeoutMs);
      const nobody = (): void => {
        clearTimeout(timer);
        resolve(null);
      };
      socket.once('error', nobody);
      socket.once('close', nobody);
      readLines(socket, (message) => {
        if (opened !== null) return opened.#settle(message as Answer);
        clearTimeout(timer);
        void (message as Greeting);
        socket.off('error', nobody).off('close', nobody);
        // Close follows and does all there is to do.
        socket.on('error', () => socket.destroy());
        opened = new NameServerConnection(socket, onClose);
        resolve(opened);
      });
    });
  }

  /** Resolves with what could not be done. Throws `unavailable` when the process ended first. */
  async call(call: Call): Promise<readonly string[]> {
    if (this.#socket.destroyed) throw lost();
    this.#sequence += 1;
    const seq = this.#sequence;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<readonly string[]>((resolve, reject) => {
        timer = setTimeout(
          () =>
            reject(new EngineError('unavailable', `the name server did not answer ${call.op} within ${timeoutMs} ms`)),
          timeoutMs,
        );
        this.#pending.set(seq, { resolve, reject });
        writeLine(this.#socket, { ...call, seq });
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(seq);
    }
  }

  /** Ends the process at the other side, and resolves when it is gone. */
  async end(): Promise<void> {
    writeLine(this.#socket, { op: 'end', seq: 0 });
    const timer = setTimeout(() => this.#socket.destroy(), timeoutMs);
    await this.#closed;
    clearTimeout(timer);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #settle({ seq, failed }: Answer): void {
    this.#pending.get(seq)?.resolve(failed);
  }
}

function lost(): EngineError {
  return new EngineError('unavailable', 'the connection to the name server was lost');
}
