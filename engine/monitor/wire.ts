/**
 * What skiffd and a monitor say to each other over a unix socket (0600, below the exec root). A connection begins with one
 * line of the client, `Hello`, answered by one line, `Greeting`. With the role `control`, lines of JSON follow both ways:
 * requests with a number, answers with the same number, events without one. With the role `attach`, bytes follow: the
 * container's output one way, its stdin the other (`attachment-stream.ts`).
 *
 * The protocol has a version because a skiffd after an upgrade meets the monitor of the build before.
 */
import { parseContainerId, parseExecId, type ContainerId, type ExecId } from '../model/ids.ts';
import { EngineError, type ErrorKind } from '../model/errors.ts';
import { formatInstant, parseInstant, type Instant } from '../model/time.ts';
import type {
  AttachRequest,
  ExecExit,
  ExecRequest,
  ExitRecord,
  KnownExec,
  ProcessId,
  StartedContainer,
  StartedExec,
  StartRequest,
  TerminalSize,
} from './monitor.ts';
import { StartError } from './start-error.ts';

export const protocolVersion = 2;
/** The first that knows execs. */
export const protocolWithExec = 2;
/** The oldest monitor that this client can talk to. */
export const oldestProtocolVersion = 1;
/** Longest line: a start request is a kilobyte or two. */
const maxLineBytes = 1_048_576;

export type Hello =
  | { readonly protocol: number; readonly role: 'control' }
  | { readonly protocol: number; readonly role: 'attach'; readonly attach: AttachRequest };

export type Greeting =
  | {
      readonly protocol: number;
      readonly build: string;
      readonly pid: number;
      /** To one who attaches: `Attachment.loggedUntil`. */
      readonly loggedUntil?: string;
    }
  | { readonly error: WireError };

export type Call =
  | { readonly op: 'start'; readonly start: StartRequest }
  | { readonly op: 'exec'; readonly exec: ExecRequest }
  | { readonly op: 'signal'; readonly id: ProcessId; readonly signal: number }
  | { readonly op: 'resize'; readonly id: ProcessId; readonly size: TerminalSize }
  | { readonly op: 'execs' }
  | { readonly op: 'forget-exec'; readonly id: ExecId }
  | { readonly op: 'containers' }
  /** Take over a container whose monitor is gone; `recordPath` is its running record. */
  | { readonly op: 'adopt'; readonly id: ContainerId }
  /** Remove what a start that nobody saw the end of may have left. */
  | { readonly op: 'discard'; readonly id: ContainerId; readonly runtime: StartRequest['runtime'] };

export type Request = Call & { readonly seq: number };

export type Answer =
  { readonly seq: number; readonly ok: unknown } | { readonly seq: number; readonly error: WireError };

export interface ExitEvent {
  readonly event: 'exit';
  readonly record: WireExitRecord;
}

export interface ExecExitEvent {
  readonly event: 'exec-exit';
  readonly exit: WireExecExit;
}

export interface WireError {
  readonly kind: ErrorKind;
  readonly message: string;
  /** With this it is a StartError. */
  readonly exitCode?: 126 | 127 | 128;
}

/** Moments as RFC 3339 text: bigints are no JSON, and people read these files. */
type WithText<Shape, Keys extends keyof Shape> = Omit<Shape, Keys> & { readonly [Key in Keys]: string };
export type WireExitRecord = WithText<ExitRecord, 'startedAt' | 'finishedAt'>;
export type WireStarted = WithText<StartedContainer, 'startedAt'>;
export type WireExecExit = WithText<ExecExit, 'finishedAt'>;

export interface WireKnownExec {
  readonly started: WithText<StartedExec, 'startedAt'>;
  readonly detail: string;
  readonly exit: WireExecExit | null;
}

export function toWireError(error: unknown): WireError {
  if (error instanceof StartError) return { kind: error.kind, message: error.message, exitCode: error.exitCode };
  if (error instanceof EngineError) return { kind: error.kind, message: error.message };
  return { kind: 'internal', message: error instanceof Error ? error.message : String(error) };
}

export function fromWireError(error: WireError): EngineError {
  if (error.exitCode !== undefined) return new StartError(error.exitCode, error.message);
  return new EngineError(error.kind, error.message);
}

export function toWireExit(record: ExitRecord): WireExitRecord {
  return { ...record, startedAt: formatInstant(record.startedAt), finishedAt: formatInstant(record.finishedAt) };
}

export function fromWireExit(record: WireExitRecord): ExitRecord {
  return {
    id: parseContainerId(record.id),
    pid: record.pid,
    startedAt: instant(record.startedAt),
    finishedAt: instant(record.finishedAt),
    exitCode: record.exitCode,
    signal: record.signal,
    isOutOfMemory: record.isOutOfMemory,
    isExitCodeKnown: record.isExitCodeKnown,
  };
}

export function toWireStarted(started: StartedContainer): WireStarted {
  return { ...started, startedAt: formatInstant(started.startedAt) };
}

export function fromWireStarted(started: WireStarted): StartedContainer {
  return { ...started, id: parseContainerId(started.id), startedAt: instant(started.startedAt) };
}

export function toWireExecExit(exit: ExecExit): WireExecExit {
  return { ...exit, finishedAt: formatInstant(exit.finishedAt) };
}

export function fromWireExecExit(exit: WireExecExit): ExecExit {
  return { id: parseExecId(exit.id), exitCode: exit.exitCode, finishedAt: instant(exit.finishedAt) };
}

export function toWireKnownExec({ started, detail, exit }: KnownExec): WireKnownExec {
  return {
    started: { ...started, startedAt: formatInstant(started.startedAt) },
    detail,
    exit: exit === null ? null : toWireExecExit(exit),
  };
}

export function fromWireKnownExec({ started, detail, exit }: WireKnownExec): KnownExec {
  return {
    started: {
      ...started,
      id: parseExecId(started.id),
      container: parseContainerId(started.container),
      startedAt: instant(started.startedAt),
    },
    detail,
    exit: exit === null ? null : fromWireExecExit(exit),
  };
}

export function instant(text: string): Instant {
  const parsed = parseInstant(text);
  if (parsed === null) throw new EngineError('internal', `the monitor gave a time that is none: ${text}`);
  return parsed;
}

export function encodeLine(message: Hello | Greeting | Request | Answer | ExitEvent | ExecExitEvent): string {
  return `${JSON.stringify(message)}\n`;
}

/** Cuts a byte stream into lines of JSON. */
export class LineSplitter {
  #held: Buffer = Buffer.alloc(0);

  push(bytes: Buffer): void {
    this.#held = this.#held.length === 0 ? bytes : Buffer.concat([this.#held, bytes]);
  }

  /** The next whole line, parsed, or undefined. Throws when it is no JSON or too long. */
  next(): unknown {
    const end = this.#held.indexOf(0x0a);
    if (end === -1) {
      if (this.#held.length > maxLineBytes)
        throw new EngineError('invalid', `a line of more than ${maxLineBytes} bytes: this is no monitor's protocol`);
      return undefined;
    }
    const line = this.#held.toString('utf8', 0, end);
    this.#held = this.#held.subarray(end + 1);
    return JSON.parse(line) as unknown;
  }

  /** What came after the last line that was taken. */
  rest(): Buffer {
    const rest = this.#held;
    this.#held = Buffer.alloc(0);
    return rest;
  }
}
