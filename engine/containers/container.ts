import type { ContainerId } from '../model/ids.ts';
import type { EndpointPlan } from '../networks/networks.ts';
import type { History } from './restarts/history.ts';
import type { ContainerSpec } from './spec/spec.ts';
import { assertMove, type ContainerState, countsAsRunning, lastExit, liveState } from './state.ts';
import { SerialQueue } from './serial-queue.ts';

/** `at-rest`: it has ended, and no policy starts it again. The others are docker's. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed' | 'at-rest';

export interface WaitResult {
  readonly exitCode: number;
  /** Why the removal that was waited for failed; null otherwise. */
  readonly error: string | null;
}

interface Waiter {
  readonly condition: WaitCondition;
  resolve(result: WaitResult): void;
}

/** One container in memory: what it is, where it is in its life, who waits for it. The database holds the same. */
export class Container {
  readonly id: ContainerId;
  /** One change at a time; different containers never wait for each other. */
  readonly queue = new SerialQueue();
  #name: string;
  #spec: ContainerSpec;
  #state: ContainerState;
  #history: History;
  readonly #watchers = new Set<(state: ContainerState, before: ContainerState) => void>();
  readonly #waiters = new Set<Waiter>();
  #lastExitCode = 0;
  #hasMemoryKills = false;
  #restartsByHand = 0;

  constructor(parts: {
    readonly id: ContainerId;
    readonly name: string;
    readonly spec: ContainerSpec;
    readonly state: ContainerState;
    readonly history: History;
  }) {
    this.id = parts.id;
    this.#spec = parts.spec;
    this.#name = parts.name;
    this.#state = parts.state;
    this.#history = parts.history;
    this.#lastExitCode = lastExit(parts.state)?.exitCode ?? 0;
  }

  /** Without the slash that Docker puts before it. */
  get name(): string {
    return this.#name;
  }

  /** To be called by the directory, which finds it by its name. */
  rename(name: string): void {
    this.#name = name;
  }

  get spec(): ContainerSpec {
    return this.#spec;
  }

  /** To be called when the database has it. */
  changeSpec(spec: ContainerSpec): void {
    this.#spec = spec;
  }

  get history(): History {
    return this.#history;
  }

  /** To be called when the database has it. */
  changeHistory(history: History): void {
    this.#history = history;
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** To be called when the database has it. Those who watch are told at once. */
  moveTo(state: ContainerState): void {
    const before = this.#state;
    assertMove(before.status, state.status);
    this.#state = state;
    if (state.status === 'running' && before.status !== 'paused') this.#hasMemoryKills = false;
    if (state.status === 'exited' || state.status === 'restarting') this.#lastExitCode = state.exitCode;
    if (state.status === 'created' && state.lastError !== null) this.#lastExitCode = state.lastError.exitCode;
    for (const watcher of this.#watchers) watcher(state, before);
  }

  /** In this run, the kernel killed a process of it for want of memory, and that was told. */
  get hasMemoryKills(): boolean {
    return this.#hasMemoryKills;
  }

  noteMemoryKill(): void {
    this.#hasMemoryKills = true;
  }

  /** After connect and disconnect; to be called when the database has it. */
  changeNetworks(endpoint: EndpointPlan): void {
    const live = liveState(this.#state);
    if (live !== null) this.#state = { ...live, endpoint };
  }

  /** Somebody's restart has it stopped in order to start it: `--rm` does not remove it then. */
  get isBeingRestarted(): boolean {
    return this.#restartsByHand > 0;
  }

  /** Until it is disposed of, `isBeingRestarted`. */
  beginRestart(): Disposable {
    this.#restartsByHand += 1;
    return { [Symbol.dispose]: () => void (this.#restartsByHand -= 1) };
  }

  /** Called after each move; it must not throw. */
  watch(watcher: (state: ContainerState, before: ContainerState) => void): Disposable {
    this.#watchers.add(watcher);
    return { [Symbol.dispose]: () => void this.#watchers.delete(watcher) };
  }

  /** `next-exit` and `removed` wait for what is still to come; the others may already be true. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
    const state = this.#state;
    if ((condition === 'not-running' || condition === 'at-rest') && !countsAsRunning(state)) {
      const exitCode =
        state.status === 'exited' ? state.exitCode : state.status === 'created' ? (state.lastError?.exitCode ?? 0) : 0;
      return Promise.resolve({ exitCode, error: null });
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { condition, resolve };
      this.#waiters.add(waiter);
      signal.addEventListener('abort', () => {
        this.#waiters.delete(waiter);
        reject(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
      });
    });
  }

  /** It has ended; its state says whether for good. */
  wakeExited(exitCode: number): void {
    const isAtRest = this.#state.status !== 'restarting';
    this.#wake(
      { exitCode, error: null },
      (condition) => condition !== 'removed' && (condition !== 'at-rest' || isAtRest),
    );
  }

  /** Everybody: nobody can wait for a container that is no more. */
  wakeRemoved(error: string | null): void {
    this.#wake({ exitCode: this.#lastExitCode, error }, (condition) => error === null || condition === 'removed');
  }

  #wake(result: WaitResult, wants: (condition: WaitCondition) => boolean): void {
    for (const waiter of this.#waiters) {
      if (!wants(waiter.condition)) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(result);
    }
  }
}
