/**
 * What skiffd and the program of shared folders say to each other over a unix socket (0600, below the exec root): a line of JSON each, requests
 * with a number that their answers carry too. The stream to the user's computer comes to a second socket and holds SFTP alone.
 */
import { createConnection, type Socket } from 'node:net';
import type { SharedFolder } from '../../api/shares/shares.ts';
import { readLines, writeLine } from '../kernel/socket-lines.ts';
import { EngineError } from '../model/errors.ts';

export type Call =
  /** All that there are: what is new is mounted, what is gone is let go. */
  | { readonly op: 'share'; readonly folders: readonly SharedFolder[] }
  /** Folders as containers name them, whose changes they are to hear of; all that there are. */
  | { readonly op: 'watch'; readonly sources: readonly string[] }
  /** Where a container finds something of the user's computer. */
  | { readonly op: 'find'; readonly source: string; readonly whenMissing: 'make' | 'fail' }
  | { readonly op: 'end' };

export type Request = Call & { readonly seq: number };

/** Of the answer to `find`. */
export interface Found {
  /** In the machine. */
  readonly path: string;
  readonly isDirectory: boolean;
  readonly isReadOnly: boolean;
}

export type Answer = { readonly seq: number } & (
  | { readonly found: Found | null }
  | { readonly failure: { readonly kind: 'invalid' | 'unavailable' | 'internal'; readonly message: string } }
);

export function controlSocket(folder: string): string {
  return `${folder}/control.sock`;
}

export function filesSocket(folder: string): string {
  return `${folder}/files.sock`;
}

/** Where the same stream comes as a descriptor (hand-over.ts). */
export function handedSocket(folder: string): string {
  return `${folder}/handed.sock`;
}

/** Null when nobody listens there. */
export async function connectTo(path: string): Promise<Socket | null> {
  const socket = createConnection({ path, allowHalfOpen: true });
  return await new Promise((resolve) => {
    socket.once('connect', () => resolve(socket.removeAllListeners('error')));
    socket.once('error', () => resolve(null));
  });
}

/** Waiting for the user's computer is among it. */
const answerMs = 60_000;

/** skiffd's side of the first socket. */
export class ProgramConnection implements Disposable {
  readonly #socket: Socket;
  readonly #pending = new Map<number, { resolve(found: Found | null): void; reject(error: Error): void }>();
  readonly closed: Promise<void>;
  #sequence = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => socket.destroy());
    socket.once('end', () => socket.destroy());
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const { reject } of this.#pending.values()) reject(gone());
        this.#pending.clear();
        resolve();
      });
    });
    readLines(socket, (message) => this.#settle(message as Answer));
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  /** Throws what the program says; `unavailable` when it has ended or does not answer. */
  async call(call: Call): Promise<Found | null> {
    if (this.#socket.destroyed) throw gone();
    this.#sequence += 1;
    const seq = this.#sequence;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<Found | null>((resolve, reject) => {
        timer = setTimeout(() => {
          reject(
            new EngineError('unavailable', `the shared folders did not answer within ${answerMs} ms (${call.op})`),
          );
        }, answerMs);
        this.#pending.set(seq, { resolve, reject });
        writeLine(this.#socket, { ...call, seq });
      });
    } finally {
      clearTimeout(timer);
      this.#pending.delete(seq);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #settle(answer: Answer): void {
    const pending = this.#pending.get(answer.seq);
    if ('found' in answer) pending?.resolve(answer.found);
    else pending?.reject(new EngineError(answer.failure.kind, answer.failure.message));
  }
}

function gone(): EngineError {
  return new EngineError('unavailable', 'the program of the shared folders has ended');
}
