import type { ListUpdate } from '../../desktop/contract/list-updates.ts';
import { DeltaList } from './delta-list.ts';
import { followList, type FollowList, type ListStatus } from './follow-list.ts';

/** A list that the page draws: rows and their status, changed together. Rows are raw: a deep proxy over 10 000 of them is slow. */
export class LiveList<Row, Key> {
  readonly #list: DeltaList<Row, Key>;
  #rows = $state.raw<readonly Row[]>([]);
  #status = $state.raw<ListStatus>({ kind: 'loading' });

  constructor(options: { readonly keyOfRow: (row: Row) => string; readonly keyText: (key: Key) => string }) {
    this.#list = new DeltaList(options);
  }

  get rows(): readonly Row[] {
    return this.#rows;
  }

  get status(): ListStatus {
    return this.#status;
  }

  follow(
    options: Pick<FollowList<Row, Key>, 'pause' | 'now' | 'signal'> & {
      readonly open: (signal: AbortSignal) => AsyncIterable<ListUpdate<Row, Key>>;
    },
  ): Promise<void> {
    return followList({
      ...options,
      list: this.#list,
      onChange: (status) => {
        this.#status = status;
        this.#rows = this.#list.rows;
      },
    });
  }
}
