/** Trying again: which failures may pass, how long to wait, and when it is enough. */
import { setTimeout as pause } from 'node:timers/promises';
import { RegistryError } from './registry-error.ts';
import { WireError } from './wire-errors.ts';

export interface Patience {
  readonly attempts: number;
  /** The first wait; each further one is twice as long. */
  readonly firstWaitMs: number;
  /** 0 to 1: many clients of one registry that was down must not come back together. */
  readonly random: () => number;
}

/** A server that asks for more is not waited for: the person is told, and may come back. */
const longestRetryAfterMs = 60_000;
const longestWaitMs = 15_000;
const passingStatuses = new Set([408, 500, 502, 503, 504]);

/** Milliseconds until the next try; null: another try would end as this one did. `failures` counts from 1. */
export function waitAfter(error: unknown, failures: number, patience: Patience): number | null {
  if (failures >= patience.attempts) return null;
  const backOffMs = Math.min(patience.firstWaitMs * 2 ** (failures - 1), longestWaitMs) * (0.5 + patience.random() / 2);
  const failure = failureBehind(error);
  if (failure instanceof WireError) return failure.reason === 'cut' || failure.reason === 'silent' ? backOffMs : null;
  if (!(failure instanceof RegistryError)) return null;
  if (failure.retryAfterMs !== null)
    return failure.retryAfterMs <= longestRetryAfterMs ? Math.max(failure.retryAfterMs, backOffMs / 2) : null;
  return passingStatuses.has(failure.status) ? backOffMs : null;
}

/** A token server's trouble is told as that of the request that it was for. */
function failureBehind(error: unknown): unknown {
  if (error instanceof WireError || error instanceof RegistryError || !(error instanceof Error)) return error;
  return error.cause === undefined ? error : failureBehind(error.cause);
}

/** Calls until it succeeds. Throws the last error, or the signal's reason. */
export async function patiently<T>(
  patience: Patience,
  options: { readonly signal: AbortSignal; readonly onWait?: (ms: number) => void },
  attempt: () => Promise<T>,
): Promise<T> {
  for (let failures = 1; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      const waitMs = waitAfter(error, failures, patience);
      if (waitMs === null) throw error;
      options.onWait?.(waitMs);
      await pause(waitMs, undefined, { signal: options.signal });
    }
  }
}
