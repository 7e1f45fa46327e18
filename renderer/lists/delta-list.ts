import type { ListUpdate } from '../../desktop/contract/list-updates.ts';

/**
 * A list that travelled once and then lives by changes. The sender numbers its updates; a number that is not the next
 * one means that something was lost, and then nothing is applied any more until a snapshot comes. So a list is either
 * what the sender has or known to be old, never quietly wrong.
 */
export type UpdateResult = 'applied' | 'seen-before' | 'gap';

export class DeltaList<Row, Key> {
  readonly #keyOfRow: (row: Row) => string;
  readonly #keyText: (key: Key) => string;
  #rows = new Map<string, Row>();
  #seq: number | null = null;

  /** Both must give the same text for a row and for the key that `remove` names it by. */
  constructor(options: { readonly keyOfRow: (row: Row) => string; readonly keyText: (key: Key) => string }) {
    this.#keyOfRow = options.keyOfRow;
    this.#keyText = options.keyText;
  }

  /** In order of arrival; a fresh array each time, the rows themselves keep their identity until they change. */
  get rows(): readonly Row[] {
    return [...this.#rows.values()];
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  /** `gap` also before the first snapshot and until the next one after a gap: the owner opens the stream anew. */
  apply(update: ListUpdate<Row, Key>): UpdateResult {
    if (update.kind === 'snapshot') {
      this.#rows = new Map(update.items.map((row) => [this.#keyOfRow(row), row]));
      this.#seq = update.seq;
      return 'applied';
    }
    if (this.#seq === null) return 'gap';
    if (update.seq <= this.#seq) return 'seen-before';
    if (update.seq !== this.#seq + 1) {
      this.#seq = null;
      return 'gap';
    }
    for (const key of update.remove) this.#rows.delete(this.#keyText(key));
    for (const row of update.upsert) this.#rows.set(this.#keyOfRow(row), row);
    this.#seq = update.seq;
    return 'applied';
  }
}
