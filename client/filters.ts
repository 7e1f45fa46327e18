/** Conditions by name; a thing passes when it meets one value of each: `{ status: ['running'], label: ['a=1'] }`. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** As a query takes them: no filters are no parameter. */
export function filtersOf(filters: Filters | undefined): Filters | undefined {
  return filters && Object.keys(filters).length > 0 ? filters : undefined;
}
