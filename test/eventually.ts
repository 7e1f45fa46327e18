import { expect } from 'vitest';

/** `expect(look())` as soon as it holds; for as long as a test may wait on a computer that is busy with others. */
export function eventually<T>(look: () => T): ReturnType<typeof expect.poll<T>> {
  return expect.poll(look, { timeout: 20_000 });
}
