/** Trying again: which failures may pass, how long to wait, and when it is enough. */
import { setTimeout as pause } from 'node:timers/promises';
import type { RegistryError } from './answers.ts';
import { WireError } from './wire-errors.ts';

export interface Patience {
  readonly attempts: number;
  /** The first wait; each further one is twice as long. */
  readonly firstWaitMs: number;
  /** 0 to 1: many clients of one registry that was down must not come back together. */
  readonly random: () => number;
}

/** A server that asks for more is not waited for: the person is told, and may come back. */
export const longestRetryAfterMs = 60_000;
const longestWaitMs = 15_000;
const passingStatuses = new Set([408, 500, 502, 503, 504]);

/** Milliseconds until the next try; null: another try would end as this one did. `failures` counts from 1. */
export function waitAfter(error: unknown, failures: number, patience: Patience): number | null {
  if (failures >= patience.attempts) return null;
  const backOffMs = Math.min(patience.firstWaitMs * 2 ** (failures - 1), longestWaitMs) * (0.5 + patience.random() / 2);
  if (error instanceof WireError) return error.reason === 'cut' || error.reason === 'silent' ? backOffMs : null;
  const refusal = error as Partial<RegistryError>;
  if (refusal.retryAfterMs !== undefined && refusal.retryAfterMs !== null)
    return refusal.retryAfterMs <= longestRetryAfterMs ? Math.max(refusal.retryAfterMs, backOffMs / 2) : null;
  return refusal.status !== undefined && passingStatuses.has(refusal.status) ? backOffMs : null;
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

/** `120` or a date (source: RFC 9110, section 10.2.3); null for none. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | null {
  if (header === undefined) return null;
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000;
  const at = Date.parse(header);
  return Number.isNaN(at) ? null : Math.max(0, at - nowMs);
}
