/**
 * All containers of all running machines, live. An engine's list gives the rows at once; what a list does not tell (exit
 * codes, times) follows by looking at each container, a few at a time. From then on each event makes one container be looked
 * at again; many events of one container while it is being looked at cost one more look.
 */
import type { ContainerSummary } from '../../../api/containers.ts';
import type { EngineEvent } from '../../../api/events.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineError, EngineUnreachable } from '../../../client/errors.ts';
import type { PortForward } from '../../../provisioners/machines.ts';
import type { Container, ContainerKey } from '../../contract/containers.ts';
import { LiveList } from '../lists/live-list.ts';
import { reachOf } from '../ports/forwards.ts';
import { fromInspect, fromSummary, type BareContainer } from './container-view.ts';

/** Looks at once per engine: enough to hide the way there and back, too few to keep an engine busy. */
const looksAtOnce = 4;

/** Of a container, these change nothing that is shown; `exec_create: sh` and its like carry what is run. */
const idleActions = /^(attach|commit|copy|detach|exec_\w+(: [^]*)?|export|resize|top)$/;

export interface ContainerListOptions {
  readonly client: (machine: string) => EngineClient;
  readonly forwards: (machine: string) => readonly PortForward[];
  /** Told of a container that could not be looked at, for a reason other than that it or its engine is gone. */
  readonly report: (fault: Error) => void;
}

/** What waits to be looked at in one machine. */
interface Looks {
  readonly waiting: Set<string>;
  readonly underway: Set<string>;
}

export class ContainerList {
  readonly list = new LiveList<Container, ContainerKey>({
    keyOf: ({ machine, id }) => ({ machine, id }),
    keyText: ({ machine, id }) => `${machine}/${id}`,
  });
  readonly #options: ContainerListOptions;
  readonly #looks = new Map<string, Looks>();

  constructor(options: ContainerListOptions) {
    this.#options = options;
  }

  /** All containers of a machine, as its engine has just listed them. */
  reset(machine: string, summaries: readonly ContainerSummary[]): void {
    const rows = summaries.map((summary) => this.#reached(this.#known(fromSummary(machine, summary))));
    this.list.replace(rows, (row) => row.machine === machine);
    const waiting = new Set(summaries.map(({ Id }) => Id));
    this.#looks.set(machine, { waiting, underway: new Set() });
    this.#look(machine);
  }

  event(machine: string, { Type, Action, Actor }: EngineEvent): void {
    if (Type !== 'container' || idleActions.test(Action)) return;
    const looks = this.#looks.get(machine);
    if (Action === 'destroy') {
      looks?.waiting.delete(Actor.ID);
      this.list.delete({ machine, id: Actor.ID });
    } else {
      looks?.waiting.add(Actor.ID);
      this.#look(machine);
    }
  }

  /** The machine does not run any more. */
  forget(machine: string): void {
    this.#looks.delete(machine);
    this.list.replace([], (row) => row.machine === machine);
  }

  /** The machine's forwards may have changed. */
  reach(machine: string): void {
    for (const row of this.list.values()) if (row.machine === machine) this.list.set(this.#reached(row));
  }

  /** A container as it stands in the list, from what its engine has just said. */
  take(bare: BareContainer): Container {
    const row = this.#reached(bare);
    this.list.set(row);
    return row;
  }

  /** What is known of a row from before, where nothing says that it has changed since. */
  #known(bare: BareContainer): BareContainer {
    const before = this.list.get(bare);
    if (!before || before.state !== bare.state) return bare;
    const { startedAt, finishedAt, exitCode, error } = before;
    return { ...bare, startedAt, finishedAt, exitCode, error };
  }

  #reached(bare: BareContainer): Container {
    const forwards = this.#options.forwards(bare.machine);
    const ports = bare.ports.map(({ containerPort, protocol, published }) => {
      const reach = reachOf(forwards, { containerId: bare.id, containerPort, protocol });
      return { containerPort, protocol, published, ...reach };
    });
    return { ...bare, ports };
  }

  #look(machine: string): void {
    const looks = this.#looks.get(machine);
    if (!looks) return;
    for (const id of looks.waiting) {
      if (looks.underway.size >= looksAtOnce) return;
      if (looks.underway.has(id)) continue;
      looks.waiting.delete(id);
      looks.underway.add(id);
      void this.#lookAt(machine, id, looks).finally(() => {
        looks.underway.delete(id);
        if (this.#looks.get(machine) === looks) this.#look(machine);
      });
    }
  }

  async #lookAt(machine: string, id: string, looks: Looks): Promise<void> {
    const isCurrent = (): boolean => this.#looks.get(machine) === looks;
    try {
      const inspect = await this.#options.client(machine).containers.inspect(id);
      if (isCurrent()) this.take(fromInspect(machine, inspect));
    } catch (error) {
      if (!isCurrent()) return;
      if (error instanceof EngineError && error.statusCode === 404) this.list.delete({ machine, id });
      // When the engine is away its line says so, and brings a new list with its return.
      else if (!(error instanceof EngineUnreachable)) {
        this.#options.report(new Error(`container ${id} of ${machine} could not be looked at`, { cause: error }));
      }
    }
  }
}
