import type { Container } from '../containers/container.ts';
import type { Directory } from '../containers/directory.ts';
import { notFound } from '../model/errors.ts';
import { type ExecId, newExecId } from '../model/ids.ts';
import type { Instant } from '../model/time.ts';
import { Exec, type ExecSpec } from './exec.ts';

/** How long one that has ended, or was never started, can be asked about: clients that lose their connection come back for the exit code. */
const keptNs = 600_000_000_000n;

/** All execs of the engine. They live in memory; those that run are found again after a restart (`recover-execs.ts`). */
export class Execs {
  readonly #directory: Pick<Directory, 'byId'>;
  readonly #now: () => Instant;
  readonly #byId = new Map<ExecId, { readonly exec: Exec; readonly createdAt: Instant }>();
  readonly #onForgotten: (id: ExecId) => void;

  /** `onForgotten`: nobody can ask for this one any more. */
  constructor(parts: {
    readonly directory: Pick<Directory, 'byId'>;
    readonly now: () => Instant;
    readonly onForgotten: (id: ExecId) => void;
  }) {
    this.#directory = parts.directory;
    this.#now = parts.now;
    this.#onForgotten = parts.onForgotten;
  }

  /** `id`: of one that is known from before a restart. */
  add(container: Container, spec: ExecSpec, id: ExecId = newExecId()): Exec {
    this.#forgetOld();
    const exec = new Exec(id, container, spec);
    this.#byId.set(id, { exec, createdAt: this.#now() });
    return exec;
  }

  /** By its whole id. Throws docker's 404, also when its container has been removed. */
  find(id: string): Exec {
    const exec = this.byId(id as ExecId);
    if (exec === undefined || this.#directory.byId(exec.container.id) !== exec.container)
      throw notFound(`No such exec instance: ${id}`);
    return exec;
  }

  byId(id: ExecId): Exec | undefined {
    return this.#byId.get(id)?.exec;
  }

  /** Those that have not ended, in the order in which they were made: `ExecIDs` of an inspect. */
  liveIn(container: Container): readonly ExecId[] {
    return [...this.#byId.values()]
      .filter(({ exec }) => exec.container === container && exec.state.status !== 'ended')
      .map(({ exec }) => exec.id);
  }

  /** Looked at when one is made, so that nothing runs while nobody asks. */
  #forgetOld(): void {
    const oldest = this.#now() - keptNs;
    for (const [id, { exec, createdAt }] of this.#byId) {
      const { state } = exec;
      if (state.status === 'running' || state.status === 'starting') continue;
      if ((state.status === 'ended' ? state.finishedAt : createdAt) > oldest) continue;
      this.#byId.delete(id);
      this.#onForgotten(id);
    }
  }
}
