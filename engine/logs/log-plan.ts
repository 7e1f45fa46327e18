/** Where a container's output is kept. */
export type LogPlan =
  | {
      readonly driver: 'json-file';
      /** Absolute path of the newest file; older ones are `<path>.1`, `<path>.2`, … */
      readonly path: string;
      /** A file that would grow beyond this is rotated. */
      readonly maxSizeBytes: number;
      /** How many files there are at most, the newest included; at least 1. */
      readonly maxFiles: number;
    }
  | { readonly driver: 'none' };
