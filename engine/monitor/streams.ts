/** The streams of one process, container or exec, with those attached: from before its start to after its last byte. */
import type { Socket } from 'node:net';
import { Audience } from './audience.ts';
import type { AttachRequest, StdioPlan, TerminalSize } from './monitor.ts';
import { ContainerStdio } from './stdio.ts';

/** The bytes are valid during the call only. */
export type OutputListener = (stream: 'stdout' | 'stderr', bytes: Buffer) => void;

export class Streams {
  readonly #consolePath: string;
  readonly #audience = new Audience(() => this.#regulate());
  #size: TerminalSize | null = null;
  #stdio: ContainerStdio | null = null;

  /** `consolePath`: where a socket for a terminal may be made. */
  constructor(consolePath: string) {
    this.#consolePath = consolePath;
  }

  /** True when nothing has been opened, nobody is attached and nothing was said about it: it may be forgotten. */
  get isLonely(): boolean {
    return this.#stdio === null && this.#size === null && this.#audience.size === 0;
  }

  /**
   * What `resize` has said so far. The process has to be started with it: set once the terminal is here, it may come after
   * the first look of the program that runs in it.
   */
  get size(): TerminalSize | null {
    return this.#size;
  }

  /** `early`: bytes that came with the request already. */
  attach(socket: Socket, request: AttachRequest, early: Buffer): void {
    this.#audience.join(socket, request, early);
  }

  /** False when it has no terminal. Before the start it is the size that a terminal begins with. */
  resize(size: TerminalSize): boolean {
    this.#size = size;
    return this.#stdio === null || this.#stdio.resize(size);
  }

  /** Makes what the process gets as 0, 1 and 2. `onOutput` hears of all output before those attached do. */
  open(plan: StdioPlan, onOutput: OutputListener): ContainerStdio {
    const sized = plan.kind === 'terminal' && this.#size !== null ? { ...plan, size: this.#size } : plan;
    this.#stdio = new ContainerStdio(sized, this.#consolePath, {
      onOutput: (stream, bytes) => {
        onOutput(stream, bytes);
        this.#audience.send(stream, bytes);
        this.#regulate();
      },
    });
    return this.#stdio;
  }

  /** The process runs: bytes may flow. */
  begin(): void {
    if (this.#stdio !== null) this.#audience.begin(this.#stdio.framing, this.#stdio.begin());
  }

  /** The process has ended: reads what is left; see `ContainerStdio.drain`. */
  async drain(timeoutMs: number): Promise<void> {
    await this.#stdio?.drain(timeoutMs);
  }

  /** No more output: each of those attached gets what it has not taken yet, and then the end. */
  end(): void {
    this.#audience.end();
    this.#stdio?.[Symbol.dispose]();
  }

  #regulate(): void {
    if (this.#audience.isFull) this.#stdio?.pause();
    else this.#stdio?.resume();
  }
}
