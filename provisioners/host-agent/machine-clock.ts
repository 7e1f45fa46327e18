import type { Line } from '../line/line.ts';

/**
 * The clock of a machine stands still while its computer sleeps or it is suspended itself, and nothing in it knows. So it is looked at
 * whenever the line is made, and after each sleep of this computer.
 */
export interface ClockResult {
  readonly isSet: boolean;
  /** How far it was behind (or, negative, ahead). */
  readonly driftSeconds: number;
}

/** Small differences are left to time itself: a clock that jumps hurts more than one that is a second off. */
const toleratedSeconds = 2;

export async function setMachineClock(
  line: Line,
  options: { readonly now: () => number; readonly signal: AbortSignal },
): Promise<ClockResult> {
  const { now, signal } = options;
  const theirs = Number((await line.check('date -u +%s', { signal, timeoutMs: 15_000 })).trim());
  const driftSeconds = Math.round(now() / 1000) - theirs;
  if (!Number.isFinite(theirs) || Math.abs(driftSeconds) <= toleratedSeconds) return { isSet: false, driftSeconds };
  await line.check(`date -u -s @${Math.round(now() / 1000)} >/dev/null`, { signal, timeoutMs: 15_000 });
  return { isSet: true, driftSeconds };
}
