/** Times in milliseconds of one thing, in the order in which they were taken. */
export type Samples = readonly number[];

export function quantile(samples: Samples, share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

export const median = (samples: Samples): number => quantile(samples, 0.5);

/** What is measured; what it returns is done afterwards and does not count. */
export type Work = () => Promise<void | (() => Promise<unknown>)>;

/** Runs the contenders in turn, `rounds` times each after `warmUp` rounds that do not count. */
export async function takeTurns(options: {
  readonly contenders: Readonly<Record<string, Work>>;
  readonly rounds: number;
  readonly warmUp: number;
}): Promise<Readonly<Record<string, Samples>>> {
  const samples: Record<string, number[]> = Object.fromEntries(
    Object.keys(options.contenders).map((name) => [name, []]),
  );
  for (let round = -options.warmUp; round < options.rounds; round++) {
    for (const [name, run] of Object.entries(options.contenders)) {
      const startedAt = performance.now();
      const tidyUp = await run();
      if (round >= 0) samples[name]?.push(performance.now() - startedAt);
      await tidyUp?.();
    }
  }
  return samples;
}
