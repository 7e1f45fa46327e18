import type { ListUpdate } from '../../contract/list-updates.ts';

/**
 * The receiving end of a list that travels as changes: calls `onRows` with all rows after each update, until the stream
 * ends. Order on one link is certain, so a gap in `seq` is a fault of the sender: following ends with it.
 */
export async function followRows<T, K>(options: {
  readonly updates: AsyncIterable<ListUpdate<T, K>>;
  readonly textOf: (item: T) => string;
  readonly keyText: (key: K) => string;
  readonly onRows: (rows: T[]) => void;
}): Promise<void> {
  const { updates, textOf, keyText, onRows } = options;
  const rows = new Map<string, T>();
  let due = 0;
  for await (const update of updates) {
    if (update.seq !== due) throw new Error(`update ${update.seq} of a list came where ${due} was due`);
    due += 1;
    if (update.kind === 'snapshot') {
      for (const item of update.items) rows.set(textOf(item), item);
    } else {
      for (const item of update.upsert) rows.set(textOf(item), item);
      for (const key of update.remove) rows.delete(keyText(key));
    }
    onRows([...rows.values()]);
  }
}
