import { spawn } from 'node:child_process';
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { connect } from 'node:net';
import type { NetConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { MachineError } from '../machines.ts';
import { quietEnvironment } from '../secrets/quiet-environment.ts';
import { collect, commandFailed, commandTooSlow, outputOf, signalExitCode } from './command.ts';
import type { CommandResult, ExecRequest, ExitStatus, Line, PipeOptions, RunOptions } from './line.ts';

/** The line to this computer itself: its own shell and sockets. For the engine that runs without a machine in between. */
export class LocalLine implements Line {
  readonly #closed = Promise.withResolvers<MachineError>();
  #isOpen = true;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  get closed(): Promise<MachineError> {
    return this.#closed.promise;
  }

  dialUnix(path: string, signal?: AbortSignal): Promise<Duplex> {
    return dial({ path }, signal);
  }

  dialTcp(address: { readonly host: string; readonly port: number }, signal?: AbortSignal): Promise<Duplex> {
    return dial(address, signal);
  }

  async exec({ command, stdin, stdout, stderr, terminal, signal }: ExecRequest): Promise<ExitStatus> {
    if (terminal !== null) {
      // A terminal of this computer is what the caller sits at already: the program is given it as it is.
      return await ending(start(command, ['inherit', 'inherit', 'inherit'], signal), signal);
    }
    const child = start(command, ['pipe', 'pipe', 'pipe'], signal);
    const { input, output, complaint } = streamsOf(child);
    const ended = ending(child, signal);
    // A command may end without reading its input; the exit code tells how it went.
    pipeline(stdin ?? Readable.from([]), input, { signal }).catch(() => undefined);
    await Promise.all([
      pipeline(output, stdout, { end: false, signal }),
      pipeline(complaint, stderr, { end: false, signal }),
    ]);
    return await ended;
  }

  async run(command: string, options: RunOptions): Promise<CommandResult> {
    const { timeoutMs = 30_000, input = '' } = options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([options.signal, timeout]);
    try {
      const child = start(command, ['pipe', 'pipe', 'pipe'], signal);
      const streams = streamsOf(child);
      const ended = ending(child, signal);
      // A command may end without reading its input.
      streams.input.on('error', () => undefined).end(input);
      const [stdout, stderr] = await Promise.all([collect(streams.output, signal), collect(streams.complaint, signal)]);
      return { ...(await ended), stdout, stderr };
    } catch (error) {
      if (!timeout.aborted) throw error;
      throw commandTooSlow(command, timeoutMs, error);
    }
  }

  async check(command: string, options: RunOptions): Promise<string> {
    return outputOf(command, await this.run(command, options));
  }

  async pipeInto(source: AsyncIterable<Uint8Array>, options: PipeOptions): Promise<number> {
    const { command, signal, onSent } = options;
    const child = start(command, ['pipe', 'ignore', 'pipe'], signal);
    const { input, complaint } = streamsOf(child);
    const said = collect(complaint, signal);
    let sentBytes = 0;
    const counted = async function* (): AsyncGenerator<Uint8Array> {
      for await (const chunk of source) {
        yield chunk;
        sentBytes += chunk.byteLength;
        onSent?.(sentBytes);
      }
    };
    const [feeding, ended] = await Promise.allSettled([pipeline(counted(), input, { signal }), ending(child, signal)]);
    signal.throwIfAborted();
    if (ended.status === 'rejected') throw ended.reason;
    if (ended.value.exitCode !== 0) {
      throw commandFailed(command, { exitCode: ended.value.exitCode, said: (await said).trim() });
    }
    if (feeding.status === 'rejected') throw feeding.reason;
    return sentBytes;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#isOpen = false;
    this.#closed.resolve(new MachineError('ssh-failed', 'The line to this computer was closed'));
    return Promise.resolve();
  }
}

/** In a process group of its own, so that all that a command started ends with it when it is given up. */
function start(command: string | null, stdio: StdioOptions, signal: AbortSignal): ChildProcess {
  signal.throwIfAborted();
  const isTerminal = stdio[0] === 'inherit';
  const args = command === null ? ['-l'] : ['-c', command];
  // What it starts may run for months (the engine). Only at a terminal is it the user's own shell.
  const env = isTerminal ? process.env : quietEnvironment(process.env);
  return spawn('/bin/sh', args, { stdio, cwd: '/', detached: !isTerminal, env });
}

function ending(child: ChildProcess, signal: AbortSignal): Promise<ExitStatus> {
  const ended = new Promise<ExitStatus>((resolve, reject) => {
    const onAbort = (): void => {
      if (child.pid !== undefined && child.exitCode === null) killGroup(child.pid);
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    child.once('error', (cause) => {
      reject(new MachineError('ssh-failed', `The shell could not be started: ${cause.message}`, { cause }));
    });
    child.once('close', (code, name) => {
      signal.removeEventListener('abort', onAbort);
      const ended = name?.replace(/^SIG/, '') ?? null;
      resolve({ exitCode: code ?? signalExitCode(ended), signal: ended });
    });
  });
  // Who waits for its output hears of an abort there, and does not come to this.
  ended.catch(() => undefined);
  return ended;
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

function streamsOf(child: ChildProcess): {
  readonly input: NodeJS.WritableStream;
  readonly output: Readable;
  readonly complaint: Readable;
} {
  const { stdin, stdout, stderr } = child;
  if (stdin === null) throw new TypeError('The command was started without an input');
  return { input: stdin, output: stdout ?? Readable.from([]), complaint: stderr ?? Readable.from([]) };
}

function dial(target: NetConnectOpts, signal?: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const socket = connect({ ...target, allowHalfOpen: true, noDelay: true } as NetConnectOpts);
    const onAbort = (): void => void socket.destroy(new MachineError('aborted', 'The connection was given up'));
    signal?.addEventListener('abort', onAbort, { once: true });
    const onError = (cause: Error): void => {
      signal?.removeEventListener('abort', onAbort);
      reject(new MachineError('ssh-failed', `The machine would not open a connection: ${cause.message}`, { cause }));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      signal?.removeEventListener('abort', onAbort);
      socket.off('error', onError);
      resolve(socket);
    });
  });
}
