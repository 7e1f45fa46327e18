/** Something that answers the Docker API on a unix socket, started for a benchmark and ended with it. */
export interface Contender extends AsyncDisposable {
  readonly name: string;
  readonly version: string;
  readonly socket: string;
  /** Pids of its resident processes, for memory. */
  pids(): readonly number[];
}

/** One line of a result: a thing measured for each contender. */
export interface Measurement {
  readonly what: string;
  readonly samples: Readonly<Record<string, readonly number[]>>;
  /** The contender that the others are divided by; null when there is nothing to compare with. */
  readonly baseline: string | null;
  readonly note?: string;
}

export interface Bench {
  readonly name: string;
  readonly title: string;
  run(tell: (line: string) => void): Promise<readonly Measurement[]>;
}
