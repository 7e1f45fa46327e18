/**
 * Which row a key leads to, in a list that is walked by one roving focus (WAI-ARIA grid pattern, plus j and k for those
 * who live in vi). Null: the key is not ours, the browser keeps it.
 */
export interface RowStep {
  readonly key: string;
  readonly index: number;
  readonly count: number;
  readonly pageSize: number;
}

export function rowAfterKey({ key, index, count, pageSize }: RowStep): number | null {
  if (count === 0) return null;
  const within = (row: number): number => Math.min(count - 1, Math.max(0, row));
  switch (key) {
    case 'ArrowDown':
    case 'j':
      return within(index + 1);
    case 'ArrowUp':
    case 'k':
      return within(index - 1);
    case 'PageDown':
      return within(index + Math.max(1, pageSize));
    case 'PageUp':
      return within(index - Math.max(1, pageSize));
    case 'Home':
      return 0;
    case 'End':
      return count - 1;
    default:
      return null;
  }
}
