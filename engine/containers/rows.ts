import type { Database } from '../store/database.ts';
import { internal } from '../model/errors.ts';
import { type ContainerId, parseContainerId } from '../model/ids.ts';
import type { EndpointPlan } from '../networks/networks.ts';
import { Container } from './container.ts';
import type { ContainerSpec } from './spec.ts';
import type { ContainerState } from './state.ts';
import { readStoredSpec } from './stored-spec.ts';

/** A step with effects outside the database that was under way: what boot must replay or undo. */
export type Intent =
  | { readonly verb: 'create' }
  | { readonly verb: 'start'; readonly endpoint: EndpointPlan }
  | { readonly verb: 'remove' };

/** Containers and intents as rows. Each method is one transaction: what it writes is there together or not at all. */
export class ContainerRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** The container with the intent to create it. */
  insert(container: Container): void {
    const { id, name, spec, state } = container;
    this.#database.transaction(() => {
      this.#run(
        'INSERT INTO containers (id, name, image, spec, state) VALUES (?, ?, ?, ?, ?)',
        id,
        name,
        spec.imageId,
        JSON.stringify(spec),
        JSON.stringify(state),
      );
      this.#putIntent(id, { verb: 'create' });
    });
  }

  begin(id: ContainerId, intent: Intent): void {
    this.#database.transaction(() => this.#putIntent(id, intent));
  }

  /** The state that a step has led to, and the end of its intent. */
  settle(id: ContainerId, state: ContainerState): void {
    this.#database.transaction(() => {
      this.#run('UPDATE containers SET state = ? WHERE id = ?', JSON.stringify(state), id);
      this.#run('DELETE FROM intents WHERE container = ?', id);
    });
  }

  /** A state that the next step starts from, with the intent of that step. */
  settleInto(id: ContainerId, state: ContainerState, intent: Intent): void {
    this.#database.transaction(() => {
      this.#run('UPDATE containers SET state = ? WHERE id = ?', JSON.stringify(state), id);
      this.#putIntent(id, intent);
    });
  }

  /** What `update` and `connect` have changed. */
  changeSpec(id: ContainerId, spec: ContainerSpec): void {
    this.#database.transaction(() =>
      this.#run('UPDATE containers SET spec = ? WHERE id = ?', JSON.stringify(spec), id),
    );
  }

  delete(id: ContainerId): void {
    this.#database.transaction(() => this.#run('DELETE FROM containers WHERE id = ?', id));
  }

  all(): readonly { readonly container: Container; readonly intent: Intent | null }[] {
    const rows = this.#database.sql
      .prepare('SELECT id, name, spec, state, verb, detail FROM containers LEFT JOIN intents ON container = id')
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
        state: JSON.parse(text('state')) as ContainerState,
      });
      return { container, intent: row['verb'] === null ? null : (JSON.parse(text('detail')) as Intent) };
    });
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
    this.#database.sql.prepare(sql).run(...values);
  }
}
