import type { StatementSync } from 'node:sqlite';
import type { Database, Durability } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';
import { internal } from '../model/errors.ts';
import { type ContainerId, parseContainerId } from '../model/ids.ts';
import type { Endpoint, EndpointPlan } from '../networks/networks.ts';
import { Container } from './container.ts';
import { type History, readHistory } from './restarts/history.ts';
import type { ContainerSpec, ResourceSpec } from './spec/spec.ts';
import type { ContainerState } from './state.ts';
import { readStoredPlan } from '../networks/stored-plan.ts';
import { readStoredSpec } from './spec/stored-spec.ts';

/** A step with effects outside the database that was under way: what boot must replay or undo. */
export type Intent =
  | { readonly verb: 'create' }
  | { readonly verb: 'start'; readonly endpoint: EndpointPlan }
  /** It was stopped in order to be started again by hand. */
  | { readonly verb: 'restart' }
  | { readonly verb: 'pause' | 'unpause' }
  /** The new limits stand in the spec already; `before` is what they were. */
  | { readonly verb: 'update'; readonly before: ResourceSpec }
  /** To be taken away at boot, whichever of the two it was. */
  | { readonly verb: 'connect' | 'disconnect'; readonly endpoint: Endpoint }
  | { readonly verb: 'remove'; readonly removesVolumes: boolean };

/**
 * Containers and intents as rows. Each method is one transaction: what it writes is there together or not at all. What a
 * client is told of is on the disk by then, but for the life of a container with `--rm`: after a power cut boot removes it whichever
 * of its states it finds.
 * `reach` is told each point where a test may end the engine: between an intent and its outcome (`start:begun`, `start:done`),
 * and when a row is there that nobody has been told of (`running:written`, `name:written`, `history:written`).
 */
export class ContainerRows {
  readonly #database: Database;
  readonly #reach: (point: string) => void;
  /** For what ends containers and removes them, on a full disk. */
  readonly #reserve: Pick<DiskReserve, 'around'>;
  /** Intents that stand in the database now. */
  readonly #underWay = new Map<ContainerId, Intent['verb']>();
  /** Compiled once: a container's life runs a dozen of them. */
  readonly #statements = new Map<string, StatementSync>();
  /** Those that are removed when they end. */
  readonly #passing = new Set<ContainerId>();

  constructor(
    database: Database,
    reach: (point: string) => void = () => undefined,
    reserve: Pick<DiskReserve, 'around'> = { around: (work) => work() },
  ) {
    this.#database = database;
    this.#reserve = reserve;
    this.#reach = reach;
  }

  /** The container with the intent to create it. */
  insert(container: Container): void {
    const { id, name, spec, state, history } = container;
    if (spec.isAutoRemoved) this.#passing.add(id);
    const insert = (): void => {
      this.#run(
        'INSERT INTO containers (id, name, image, spec, state, history) VALUES (?, ?, ?, ?, ?, ?)',
        id,
        name,
        spec.imageId,
        JSON.stringify(spec),
        JSON.stringify(state),
        JSON.stringify(history),
      );
      this.#putIntent(id, { verb: 'create' });
    };
    this.#database.transaction(insert, 'ordered'); // the outcome follows
    this.#begun(id, 'create');
  }

  begin(id: ContainerId, intent: Intent): void {
    // A start has effects in the kernel alone, which the computer's going down takes back.
    this.#database.transaction(() => this.#putIntent(id, intent), intent.verb === 'start' ? 'ordered' : 'synced');
    this.#begun(id, intent.verb);
  }

  /** The state that a step has led to, with the history that belongs to it, and the end of its intent. */
  settle(id: ContainerId, state: ContainerState, history?: History): void {
    this.#done(id);
    const write = (): void => {
      this.#writeState(id, state, history);
      this.#run('DELETE FROM intents WHERE container = ?', id);
    };
    const durability = state.status === 'created' ? 'synced' : this.#durabilityOf(id);
    const settle = (): void => this.#database.transaction(write, durability);
    if (state.status === 'created' || state.status === 'running') settle();
    else this.#reserve.around(settle);
    this.#underWay.delete(id);
    this.#reach(`${state.status}:written`);
  }

  /** A state that the next step starts from, with the intent of that step. */
  settleInto(id: ContainerId, state: ContainerState, intent: Intent, history?: History): void {
    this.#done(id);
    const write = (): void => {
      this.#writeState(id, state, history);
      this.#putIntent(id, intent);
    };
    this.#reserve.around(() => this.#database.transaction(write, this.#durabilityOf(id)));
    this.#begun(id, intent.verb);
  }

  /** What `update` and `connect` have changed. */
  changeSpec(id: ContainerId, spec: ContainerSpec): void {
    this.#database.transaction(() => this.#writeSpec(id, spec));
  }

  /** A change of the spec that has effects outside the database: they are still to come. */
  changeSpecInto(id: ContainerId, spec: ContainerSpec, intent: Intent): void {
    this.#database.transaction(() => {
      this.#writeSpec(id, spec);
      this.#putIntent(id, intent);
    });
    this.#begun(id, intent.verb);
  }

  /** After connect, and before what a disconnect takes away has gone: then with its intent. */
  changeNetworks(
    id: ContainerId,
    after: { readonly spec: ContainerSpec; readonly state: ContainerState },
    intent: Intent | null,
  ): void {
    this.#done(id);
    this.#database.transaction(() => {
      this.#writeSpec(id, after.spec);
      this.#writeState(id, after.state, undefined);
      if (intent === null) this.#run('DELETE FROM intents WHERE container = ?', id);
      else this.#putIntent(id, intent);
    });
    if (intent === null) this.#underWay.delete(id);
    else this.#begun(id, intent.verb);
  }

  changeHistory(id: ContainerId, history: History): void {
    this.#database.transaction(() =>
      this.#run('UPDATE containers SET history = ? WHERE id = ?', JSON.stringify(history), id),
    );
    this.#reach('history:written');
  }

  /** Throws what the database does when another container has the name. */
  rename(id: ContainerId, name: string): void {
    this.#database.transaction(() => this.#run('UPDATE containers SET name = ? WHERE id = ?', name, id));
    this.#reach('name:written');
  }

  delete(id: ContainerId): void {
    this.#done(id);
    // Should a power cut bring it back, then with its intent, and boot deletes it again.
    const drop = (): void => this.#run('DELETE FROM containers WHERE id = ?', id);
    this.#reserve.around(() => this.#database.transaction(drop, 'ordered'));
    this.#underWay.delete(id);
    this.#passing.delete(id);
  }

  all(): readonly { readonly container: Container; readonly intent: Intent | null }[] {
    const rows = this.#database.sql
      .prepare(
        'SELECT id, name, spec, state, history, verb, detail FROM containers LEFT JOIN intents ON container = id',
      )
      .all();
    return rows.map((row) => {
      const text = (column: string): string => {
        const value = row[column];
        if (typeof value !== 'string') throw internal(`the row of container ${String(row['id'])} has no ${column}`);
        return value;
      };
      const container = new Container({
        id: parseContainerId(text('id')),
        name: text('name'),
        spec: readStoredSpec(text('spec')),
        state: readState(text('state')),
        history: readHistory(text('history')),
      });
      if (container.spec.isAutoRemoved) this.#passing.add(container.id);
      return { container, intent: row['verb'] === null ? null : readIntent(text('detail')) };
    });
  }

  #durabilityOf(id: ContainerId): Durability {
    return this.#passing.has(id) ? 'ordered' : 'synced';
  }

  #writeState(id: ContainerId, state: ContainerState, history: History | undefined): void {
    this.#run('UPDATE containers SET state = ? WHERE id = ?', JSON.stringify(state), id);
    if (history !== undefined) this.#run('UPDATE containers SET history = ? WHERE id = ?', JSON.stringify(history), id);
  }

  #writeSpec(id: ContainerId, spec: ContainerSpec): void {
    this.#run('UPDATE containers SET spec = ? WHERE id = ?', JSON.stringify(spec), id);
  }

  #begun(id: ContainerId, verb: Intent['verb']): void {
    this.#underWay.set(id, verb);
    this.#reach(`${verb}:begun`);
  }

  /** The effects are there, their outcome is not written yet. */
  #done(id: ContainerId): void {
    const verb = this.#underWay.get(id);
    if (verb !== undefined) this.#reach(`${verb}:done`);
  }

  #putIntent(id: ContainerId, intent: Intent): void {
    this.#run(
      'INSERT OR REPLACE INTO intents (container, verb, detail) VALUES (?, ?, ?)',
      id,
      intent.verb,
      JSON.stringify(intent),
    );
  }

  #run(sql: string, ...values: readonly string[]): void {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, (statement = this.#database.sql.prepare(sql)));
    statement.run(...values);
  }
}

/** Plans of older engines are read as those of this one. */
function readState(text: string): ContainerState {
  const state = JSON.parse(text) as ContainerState;
  return 'endpoint' in state ? { ...state, endpoint: readStoredPlan(state.endpoint) } : state;
}

function readIntent(text: string): Intent {
  const intent = JSON.parse(text) as Intent;
  return intent.verb === 'start' ? { ...intent, endpoint: readStoredPlan(intent.endpoint) } : intent;
}
