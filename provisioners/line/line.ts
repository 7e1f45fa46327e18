import type { Duplex } from 'node:stream';
import type { MachineError } from '../machines.ts';

/**
 * The line to a machine: commands, and streams to its sockets and ports. Over SSH for a machine that is elsewhere
 * (ssh/ssh-connection.ts), or this computer's own shell where the engine runs on this computer itself (local-line.ts).
 */
export interface Line extends AsyncDisposable {
  readonly isOpen: boolean;
  /** Resolves, with the reason, when the line has ended; never rejects. */
  readonly closed: Promise<MachineError>;
  /** A stream to a unix socket in the machine. Half-close works both ways. */
  dialUnix(path: string, signal?: AbortSignal): Promise<Duplex>;
  /** A stream to a TCP port as the machine sees it. */
  dialTcp(address: { readonly host: string; readonly port: number }, signal?: AbortSignal): Promise<Duplex>;
  /** Runs a command with streams of the caller; resolves when it has ended and all its output is written. */
  exec(request: ExecRequest): Promise<ExitStatus>;
  /** Runs a command and collects what it says; for short answers. `timeout` when it takes longer than `timeoutMs` (default 30 s). */
  run(command: string, options: RunOptions): Promise<CommandResult>;
  /** As `run`, and throws with what the command said when it fails. */
  check(command: string, options: RunOptions): Promise<string>;
  /**
   * Streams `source` into a command of the machine, with back-pressure; resolves with the bytes sent when the command has
   * succeeded. A line that breaks looks to the command like the end of its input, so commands check what they got.
   */
  pipeInto(source: AsyncIterable<Uint8Array>, options: PipeOptions): Promise<number>;
}

export interface ExecRequest {
  /** Null opens a login shell. */
  readonly command: string | null;
  readonly stdin: NodeJS.ReadableStream | null;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  readonly terminal: { readonly columns: number; readonly rows: number; readonly type: string } | null;
  readonly signal: AbortSignal;
}

export interface RunOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
  readonly input?: string | Uint8Array;
}

export interface PipeOptions {
  readonly command: string;
  readonly signal: AbortSignal;
  readonly onSent?: (sentBytes: number) => void;
}

export interface ExitStatus {
  readonly exitCode: number;
  /** Name without `SIG` when a signal ended the command; the exit code is then 128 + its number or 255. */
  readonly signal: string | null;
}

export interface CommandResult extends ExitStatus {
  readonly stdout: string;
  readonly stderr: string;
}

/** Quotes one word for the machine's POSIX shell. */
export function shellQuote(text: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
