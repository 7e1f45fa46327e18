import { libc } from './libc.ts';

let trim: ((pad: number) => number) | null = null;

/**
 * Gives the kernel back what the C library keeps of freed memory between what is in use, in all its arenas (source:
 * malloc_trim(3)). Below a millisecond; Node's own parts (streams, sqlite, zlib, requests) leave some 5 MB there.
 */
export function trimMalloc(): void {
  trim ??= libc().func('int malloc_trim(size_t pad)') as (pad: number) => number; // what its prototype says
  trim(0);
}
