/**
 * The core in a process of its own: a flood of logs or a crash there stalls neither tray nor window. This end starts it,
 * starts it again when it dies, and hands each page one end of a channel whose other end goes to the core, so that what they
 * say to each other does not pass through here.
 */
import type { MessageChannelMain, MessagePortMain, UtilityProcess } from 'electron';
import type { Clock } from '../desktop/services/clock.ts';

/** From here to the core. With `serve` comes the port to serve on. */
export type ToCore = { readonly kind: 'serve'; readonly link: number } | { readonly kind: 'close' };
/** From the core to here. */
export type FromCore = { readonly kind: 'closed'; readonly link: number };

export type CoreProcess = Pick<UtilityProcess, 'postMessage' | 'on' | 'kill'>;

export interface CoreHostOptions {
  readonly fork: () => CoreProcess;
  readonly newChannel: () => MessageChannelMain;
  readonly clock: Clock;
  readonly report: (fault: Error) => void;
}

/** Who is given ports: one now, and a new one whenever the last has come to its end. */
export interface PortTaker {
  take(port: MessagePortMain): void;
}

const restartPauseMs = 500;
/** A page that closes its link is given another, but not in a tight circle. */
const nextPortPauseMs = 250;
/** For operations to reach a safe point when the app quits. */
const closeTimeoutMs = 10_000;

export class CoreHost {
  readonly #options: CoreHostOptions;
  readonly #stop = new AbortController();
  /** Each taker's current link. */
  readonly #links = new Map<PortTaker, number>();
  #core: CoreProcess | null = null;
  #exited: Promise<void> = Promise.resolve();
  #lastLink = 0;

  constructor(options: CoreHostOptions) {
    this.#options = options;
    this.#start();
  }

  /** Gives `taker` a port, and another each time that one ends, until it leaves. Asked again (the page was reloaded) it gives a new one at once. */
  join(taker: PortTaker): void {
    this.#links.set(taker, 0);
    this.#offer(taker);
  }

  leave(taker: PortTaker): void {
    this.#links.delete(taker);
  }

  /** Lets the core end what it does; ends it by force when that takes too long. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return this.#exited;
    this.#stop.abort();
    this.#links.clear();
    const core = this.#core;
    if (!core) return;
    core.postMessage({ kind: 'close' } satisfies ToCore);
    const patience = new AbortController();
    const outOfPatience = this.#options.clock.sleep(closeTimeoutMs, patience.signal);
    await Promise.race([this.#exited, outOfPatience]);
    patience.abort();
    if (this.#core) core.kill();
    await this.#exited;
  }

  #start(): void {
    const core = this.#options.fork();
    const exited = Promise.withResolvers<void>();
    this.#core = core;
    this.#exited = exited.promise;
    core.on('message', (message: unknown) => this.#receive(message));
    core.on('exit', (exitCode) => {
      this.#core = null;
      exited.resolve();
      if (!this.#stop.signal.aborted) void this.#restart(exitCode);
    });
    for (const taker of this.#links.keys()) this.#offer(taker);
  }

  async #restart(exitCode: number): Promise<void> {
    this.#options.report(new Error(`the core ended by itself (exit code ${exitCode}); it is started again`));
    await this.#options.clock.sleep(restartPauseMs, this.#stop.signal);
    if (!this.#stop.signal.aborted) this.#start();
  }

  #offer(taker: PortTaker): void {
    if (!this.#core) return; // Its next start offers to everybody.
    const { port1, port2 } = this.#options.newChannel();
    this.#lastLink += 1;
    this.#links.set(taker, this.#lastLink);
    this.#core.postMessage({ kind: 'serve', link: this.#lastLink } satisfies ToCore, [port1]);
    taker.take(port2);
  }

  #receive(message: unknown): void {
    if (!isFromCore(message)) return this.#options.report(new Error('the core sent something of no known form'));
    const taker = [...this.#links].find(([, link]) => link === message.link)?.[0];
    if (taker) void this.#offerAgain(taker, message.link);
  }

  async #offerAgain(taker: PortTaker, ended: number): Promise<void> {
    await this.#options.clock.sleep(nextPortPauseMs, this.#stop.signal);
    // It may have left, or been given a new one, meanwhile.
    if (!this.#stop.signal.aborted && this.#links.get(taker) === ended) this.#offer(taker);
  }
}

function isFromCore(message: unknown): message is FromCore {
  return (
    typeof message === 'object' &&
    message !== null &&
    'kind' in message &&
    message.kind === 'closed' &&
    'link' in message &&
    typeof message.link === 'number'
  );
}
