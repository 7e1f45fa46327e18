export interface SortChoice<C extends string> {
  readonly column: C;
  readonly direction: 'ascending' | 'descending';
}

/** The first click on a column sorts it the way that is asked for most (`downFirst`: from the top); the next ones turn it round. */
export function nextSort<C extends string>(current: SortChoice<C>, column: C, downFirst: readonly C[]): SortChoice<C> {
  if (current.column === column)
    return { column, direction: current.direction === 'ascending' ? 'descending' : 'ascending' };
  return { column, direction: downFirst.includes(column) ? 'descending' : 'ascending' };
}
