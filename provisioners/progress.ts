/**
 * How long operations tell what they do: an operation is a list of steps, and each change of a step is reported once.
 * Terminal and screen draw the same reports.
 */
export interface StepReport {
  /** Stable name of the step within its operation, kebab-case: `build-image`, `boot`, `deploy-engine`. */
  readonly step: string;
  /** For people, in the present: `Starting the machine`. */
  readonly title: string;
  readonly state: 'running' | 'done' | 'skipped' | 'failed';
  /** 0 to 1 where it is known; absent means that it is under way and nobody can say how far. */
  readonly fraction?: number;
  /** One short line about what is happening just now: a stage of the boot, `41 of 126 MB`. */
  readonly detail?: string;
  /** Since the step began. */
  readonly elapsedMs: number;
}

export type Report = (report: StepReport) => void;

/** What every operation that may take long is given. */
export interface Operation {
  readonly report: Report;
  /** Aborting stops the work at its next safe point; what is half made is recorded and can be resumed or removed. */
  readonly signal: AbortSignal;
}

/** Runs `work` as one step: reports its beginning, its progress and how it ended. Errors pass through unchanged. */
export async function runStep<T>(
  options: {
    readonly step: string;
    readonly title: string;
    readonly operation: Operation;
    readonly now?: () => number;
  },
  work: (tell: (progress: { fraction?: number; detail?: string }) => void) => Promise<T>,
): Promise<T> {
  const { step, title, operation, now = () => performance.now() } = options;
  const startedAt = now();
  const tell = (state: StepReport['state'], progress: { fraction?: number; detail?: string } = {}): void =>
    operation.report({ step, title, state, elapsedMs: now() - startedAt, ...progress });
  operation.signal.throwIfAborted();
  tell('running');
  try {
    const result = await work((progress) => tell('running', progress));
    tell('done');
    return result;
  } catch (error) {
    tell('failed', { detail: error instanceof Error ? error.message : String(error) });
    throw error;
  }
}
