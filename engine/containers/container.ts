import type { ContainerId } from '../model/ids.ts';
import type { ContainerSpec } from './spec.ts';
import { assertMove, type ContainerState } from './state.ts';
import { SerialQueue } from './serial-queue.ts';

export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

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
  readonly #waiters = new Set<Waiter>();
  #lastExitCode = 0;

  constructor(parts: {
    readonly id: ContainerId;
    readonly name: string;
    readonly spec: ContainerSpec;
    readonly state: ContainerState;
  }) {
    this.id = parts.id;
    this.#spec = parts.spec;
    this.#name = parts.name;
    this.#state = parts.state;
  }

  /** Without the slash that Docker puts before it. */
  get name(): string {
    return this.#name;
  }

  get spec(): ContainerSpec {
    return this.#spec;
  }

  /** To be called when the database has it. */
  changeSpec(spec: ContainerSpec): void {
    this.#spec = spec;
  }

  get state(): ContainerState {
    return this.#state;
  }

  /** To be called when the database has it. */
  moveTo(state: ContainerState): void {
    assertMove(this.#state.status, state.status);
    this.#state = state;
    if (state.status === 'exited') this.#lastExitCode = state.exitCode;
  }

  /** `next-exit` and `removed` wait for what is still to come; `not-running` may already be true. */
  wait(condition: WaitCondition, signal: AbortSignal): Promise<WaitResult> {
    const state = this.#state;
    if (condition === 'not-running' && state.status !== 'running') {
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

  wakeExited(exitCode: number): void {
    this.#wake({ exitCode, error: null }, (condition) => condition !== 'removed');
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
