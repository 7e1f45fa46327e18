const firstMs = 250;
const longestMs = 10_000;

/** Pause before the next try after `failures` in a row: doubling, so that an engine that restarts is found at once and one that is gone costs nothing. */
export function backOffMs(failures: number): number {
  return Math.min(longestMs, firstMs * 2 ** Math.max(0, failures - 1));
}
