import { internal } from '../model/errors.ts';
import type { NetworkId } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import type { Network, NetworkRowState, NetworkRows } from './networks.ts';

/**
 * Networks as rows, in the order in which they were made. Each method is one transaction. `reach` is told each point between
 * a row and what follows from it, `network-create:begun` and so on, where a test may end the engine.
 */
export class StoredNetworks implements NetworkRows {
  readonly #database: Database;
  readonly #reach: (point: string) => void;

  constructor(database: Database, reach: (point: string) => void = () => undefined) {
    this.#database = database;
    this.#reach = reach;
  }

  all(): ReturnType<NetworkRows['all']> {
    const rows = this.#database.sql.prepare('SELECT id, spec, state FROM networks ORDER BY rowid').all();
    return rows.map((row) => {
      if (typeof row['spec'] !== 'string' || !isState(row['state']))
        throw internal(`the row of network ${String(row['id'])} is damaged`);
      return { network: JSON.parse(row['spec']) as Network, state: row['state'] };
    });
  }

  insert(network: Network): void {
    const { id, name } = network;
    this.#run(
      'INSERT INTO networks (id, name, spec, state) VALUES (?, ?, ?, ?)',
      id,
      name,
      JSON.stringify(network),
      'making',
    );
    this.#reach('network-create:begun');
  }

  settle(network: Network, state: NetworkRowState): void {
    if (state === 'ready') this.#reach('network-create:done');
    this.#run('UPDATE networks SET spec = ?, state = ? WHERE id = ?', JSON.stringify(network), state, network.id);
    if (state === 'removing') this.#reach('network-remove:begun');
  }

  delete(id: NetworkId): void {
    this.#reach('network-remove:done');
    this.#run('DELETE FROM networks WHERE id = ?', id);
  }

  #run(sql: string, ...values: readonly string[]): void {
    this.#database.transaction(() => this.#database.sql.prepare(sql).run(...values));
  }
}

function isState(value: unknown): value is NetworkRowState {
  return value === 'making' || value === 'ready' || value === 'removing';
}
