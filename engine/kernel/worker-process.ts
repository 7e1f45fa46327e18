/**
 * A program of ours in a process of its own, for work that would stop the event loop or swell the engine's heap. It talks
 * in JSON messages over Node's IPC channel and goes when its engine goes (the channel ends then).
 */
import { type ChildProcess, fork } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { internal } from '../model/errors.ts';
import { SystemCallError } from './libc.ts';
import { PipeSource } from './pipe-source.ts';
import { makePipe, type Pipe, setPipeSize } from './pipes.ts';

const keptErrorBytes = 4096;

export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<string>;
  #errorText = '';
  #output: PipeSource | null = null;
  #listener: (message: unknown) => void = () => undefined;
  #onEnd: (reason: Error) => void = () => undefined;

  /** `program`: absolute path of the worker's entry file. `heapMegabytes` bounds what a hostile input could make it take. */
  constructor(options: {
    readonly program: string;
    readonly heapMegabytes: number;
    /** Descriptor 4 of the program is the other end of `pipe`; the next one, of `output`, for bulk that it writes (and may wait for). */
    readonly bytes?: 'with-pipe' | 'with-output' | 'with-both';
  }) {
    const { program, heapMegabytes } = options;
    const { bytes } = options;
    const output = bytes === 'with-output' || bytes === 'with-both' ? outputPipe() : null;
    const further = [
      ...(bytes === 'with-pipe' || bytes === 'with-both' ? (['pipe'] as const) : []),
      ...(output === null ? [] : [output.writeEnd]),
    ];
    this.#child = fork(program, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc', ...further],
      // The engine's environment may hold proxies and credentials: none of the worker's business.
      env: { PATH: process.env['PATH'] ?? '' },
      execArgv: [`--max-old-space-size=${heapMegabytes}`, '--disable-warning=ExperimentalWarning'],
    });
    if (output !== null) {
      closeSync(output.writeEnd);
      this.#output = new PipeSource(output.readEnd);
    }
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#errorText = `${this.#errorText}${text}`.slice(-keptErrorBytes);
    });
    // Ended with bytes unread it resets the connection: an error which nobody else may listen for then. Its end is told below.
    this.#child.stdio[4]?.on('error', () => undefined);
    this.#child.on('message', (message) => this.#listener(message));
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`it could not be started: ${error.message}`));
      this.#child.once('close', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
    void this.#ended.then((how) => {
      const text = this.#errorText.trim();
      this.#onEnd(internal(`the process of ${program} ended: ${how}${text === '' ? '' : `: ${text}`}`));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** For bytes, in both directions. */
  get pipe(): Duplex {
    // Node types further descriptors by what a caller may have asked for; this one is a socket, as 'pipe' makes it.
    const pipe = this.#child.stdio[4] as Duplex | null | undefined;
    if (pipe === null || pipe === undefined) throw internal('this worker was started without a pipe');
    return pipe;
  }

  /** What it writes, see `bytes`. */
  get output(): PipeSource {
    if (this.#output === null) throw internal('this worker was started without an output');
    return this.#output;
  }

  /** Who hears its messages, and of its end (whoever caused it), from now on. */
  listen(listener: (message: unknown) => void, onEnd: (reason: Error) => void): void {
    this.#listener = listener;
    this.#onEnd = onEnd;
  }

  /** A message to a process that has ended is lost: its end was told. */
  send(message: object): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Keeps (or no longer keeps) this process alive while nothing else does. */
  hold(isHeld: 'held' | 'idle'): void {
    if (isHeld === 'held') {
      this.#child.ref();
      this.#child.channel?.ref();
      refOf(this.#child)?.ref();
    } else {
      this.#child.unref();
      this.#child.channel?.unref();
      refOf(this.#child)?.unref();
    }
  }

  /** Kills it and waits until it is gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.ref();
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.#output?.[Symbol.dispose]();
  }
}

/** Holds so much that neither side waits for the other all the time. */
const outputBytes = 1024 * 1024;

function outputPipe(): Pipe {
  const pipe = makePipe();
  try {
    setPipeSize(pipe.readEnd, outputBytes);
  } catch (error) {
    // Those who use up what one user's pipes may hold get a small one: slower, no less right.
    if (!(error instanceof SystemCallError)) throw error;
  }
  return pipe;
}

/** The socket behind `pipe`, which would keep this process alive too. */
function refOf(child: ChildProcess): { ref(): void; unref(): void } | null {
  const pipe: unknown = child.stdio[4];
  return pipe instanceof Socket ? pipe : null;
}
