/** The streams of one container, from their making to the last byte. */
import { closeSync, openSync } from 'node:fs';
import { FdReader } from '../kernel/fd-reader.ts';
import { FdWriter } from '../kernel/fd-writer.ts';
import { duplicateFd, makePipe } from '../kernel/pipes.ts';
import { ConsoleSocket, resizeTerminal } from '../kernel/terminal.ts';
import type { Stdin } from './audience.ts';
import type { StdioPlan, TerminalSize } from './monitor.ts';

export interface StdioEvents {
  /** The bytes are valid during the call only. */
  onOutput(stream: 'stdout' | 'stderr', bytes: Buffer): void;
}

/** At the end at most this much is read from a pipe that something else keeps filling. */
const drainBytes = 16 * 1024 * 1024;

export class ContainerStdio implements Disposable {
  readonly framing: 'frames' | 'raw';
  /** What crun, and through it the container, gets as 0, 1 and 2. */
  readonly childFds: readonly [number, number, number];
  readonly #plan: StdioPlan;
  readonly #events: StdioEvents;
  readonly #childEnds: number[];
  readonly #outputEnds: { readonly name: 'stdout' | 'stderr'; readonly fd: number }[] = [];
  readonly #console: ConsoleSocket | null = null;
  readonly #terminal = Promise.withResolvers<void>();
  #size: TerminalSize | null = null;
  #stdinEnd: number | null = null;
  #master: number | null = null;
  #stdin: FdWriter | null = null;
  #readers = new Set<FdReader>();
  #ended = Promise.withResolvers<void>();
  #state: 'made' | 'flowing' | 'closed' = 'made';

  /** `consolePath`: where a socket for the terminal may be made. */
  constructor(plan: StdioPlan, consolePath: string, events: StdioEvents) {
    this.#plan = plan;
    this.#events = events;
    const stdout = makePipe();
    const stderr = makePipe();
    this.#outputEnds.push({ name: 'stdout', fd: stdout.readEnd }, { name: 'stderr', fd: stderr.readEnd });
    let stdin: number;
    if (plan.kind === 'terminal') {
      this.framing = 'raw';
      stdin = openSync('/dev/null', 'r');
      this.#size = plan.size;
      this.#console = new ConsoleSocket(consolePath, (master) => {
        this.#master = master;
        if (this.#size !== null) resizeTerminal(master, this.#size);
        this.#terminal.resolve();
      });
    } else {
      this.framing = 'frames';
      if (plan.stdin === 'none') stdin = openSync('/dev/null', 'r');
      else {
        const pipe = makePipe();
        stdin = pipe.readEnd;
        this.#stdinEnd = pipe.writeEnd;
      }
    }
    this.childFds = [stdin, stdout.writeEnd, stderr.writeEnd];
    this.#childEnds = [...this.childFds];
  }

  get consolePath(): string | null {
    return this.#console?.path ?? null;
  }

  /** Once the child has its own: as long as we hold a writing end, there is no end of output. */
  closeChildEnds(): void {
    for (const fd of this.#childEnds.splice(0)) closeSync(fd);
  }

  /** Resolves when crun has handed the terminal over; at once without one. */
  async terminalArrived(): Promise<void> {
    if (this.#plan.kind === 'terminal') await this.#terminal.promise;
  }

  /** All that crun has said so far, before `begin`: with pipes its stderr is the container's. */
  readErrors(): string {
    const end = this.#outputEnds.find(({ name }) => name === 'stderr');
    if (end === undefined) return '';
    this.#outputEnds.splice(this.#outputEnds.indexOf(end), 1);
    let text = '';
    const reader = new FdReader(end.fd, { onData: (bytes) => (text += bytes.toString()), onEnd: () => undefined });
    reader.drain(65_536);
    reader[Symbol.dispose]();
    return text;
  }

  /** Lets output flow. */
  begin(): Stdin | null {
    this.#state = 'flowing';
    if (this.#plan.kind === 'terminal' && this.#master !== null) {
      // crun's own output; the container writes to its terminal.
      for (const { fd } of this.#outputEnds.splice(0)) closeSync(fd);
      if (this.#plan.stdin !== 'none') this.#stdin = new FdWriter(duplicateFd(this.#master));
      this.#read('stdout', duplicateFd(this.#master));
    } else {
      if (this.#stdinEnd !== null) this.#stdin = new FdWriter(this.#stdinEnd);
      this.#stdinEnd = null;
      for (const { name, fd } of this.#outputEnds.splice(0)) this.#read(name, fd);
    }
    this.#console?.[Symbol.dispose]();
    return this.#stdin === null ? null : { writer: this.#stdin, closesWithFirstClient: this.#plan.stdin === 'once' };
  }

  /** False when there is no terminal. */
  resize(size: TerminalSize): boolean {
    if (this.#plan.kind !== 'terminal') return false;
    this.#size = size;
    if (this.#master !== null) resizeTerminal(this.#master, size);
    return true;
  }

  pause(): void {
    for (const reader of this.#readers) reader.pause();
  }

  resume(): void {
    for (const reader of this.#readers) reader.resume();
  }

  /**
   * The container has ended: reads what is left. When something outside it still holds the pipe, that is awaited for
   * `timeoutMs` and then left alone.
   */
  async drain(timeoutMs: number): Promise<void> {
    for (const reader of [...this.#readers]) reader.drain(drainBytes);
    if (this.#readers.size === 0) return;
    this.resume();
    const timer = setTimeout(() => this.#ended.resolve(), timeoutMs);
    await this.#ended.promise;
    clearTimeout(timer);
  }

  [Symbol.dispose](): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.closeChildEnds();
    for (const { fd } of this.#outputEnds.splice(0)) closeSync(fd);
    for (const reader of this.#readers) reader[Symbol.dispose]();
    this.#stdin?.[Symbol.dispose]();
    if (this.#stdinEnd !== null) closeSync(this.#stdinEnd);
    if (this.#master !== null) closeSync(this.#master);
    this.#console?.[Symbol.dispose]();
  }

  #read(name: 'stdout' | 'stderr', fd: number): void {
    const reader = new FdReader(fd, {
      onData: (bytes) => this.#events.onOutput(name, bytes),
      onEnd: () => {
        this.#readers.delete(reader);
        if (this.#readers.size === 0) this.#ended.resolve();
      },
    });
    this.#readers.add(reader);
  }
}
