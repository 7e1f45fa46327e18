import { optionalFunction } from './libc.ts';

let trim: ReturnType<typeof optionalFunction> | undefined;

/**
 * Gives the kernel back what the C library keeps of freed memory between what is in use, in all its arenas (source:
 * malloc_trim(3)). Below a millisecond; Node's own parts (streams, sqlite, zlib, requests) leave some 5 MB there.
 * Only glibc has it; musl keeps little.
 */
export function trimMalloc(): void {
  // Null is an answer too.
  if (trim === undefined) trim = optionalFunction('int malloc_trim(size_t pad)');
  trim?.(0);
}
