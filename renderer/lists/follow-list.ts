import { DesktopError, type ErrorShape } from '../../desktop/contract/errors.ts';
import type { ListUpdate } from '../../desktop/contract/list-updates.ts';
import type { DeltaList } from './delta-list.ts';

/**
 * What a page knows of a list: nothing yet, everything, what was true at a moment, or nothing and why. `stale` keeps the
 * rows: an old list that says so helps more than an empty one.
 */
export type ListStatus =
  | { readonly kind: 'loading' }
  | { readonly kind: 'live' }
  | { readonly kind: 'stale'; readonly since: number; readonly error: ErrorShape }
  | { readonly kind: 'failed'; readonly error: ErrorShape };

export interface FollowList<Row, Key> {
  readonly list: DeltaList<Row, Key>;
  /** Opens the stream of updates; called again after each gap and each end. */
  readonly open: (signal: AbortSignal) => AsyncIterable<ListUpdate<Row, Key>>;
  /** Called after every change of the rows or of the status. */
  readonly onChange: (status: ListStatus) => void;
  /** Waits before the next try; rejects or resolves early when the signal fires. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

const firstPauseMs = 250;
const longestPauseMs = 5_000;

/** Keeps a list up to date until the signal fires; never rejects. */
export async function followList<Row, Key>(options: FollowList<Row, Key>): Promise<void> {
  const { list, onChange, pause, now, signal } = options;
  let pauseMs = firstPauseMs;
  const told: { status: ListStatus } = { status: { kind: 'loading' } };
  const become = (next: ListStatus): void => {
    told.status = next;
    if (!signal.aborted) onChange(next);
  };
  while (!signal.aborted) {
    const round = new AbortController();
    const stop = AbortSignal.any([signal, round.signal]);
    let failure: ErrorShape = { code: 'disconnected', message: 'The list ended.' };
    let isGap = false;
    try {
      for await (const update of options.open(stop)) {
        isGap = list.apply(update) === 'gap';
        if (isGap) break;
        pauseMs = firstPauseMs;
        become({ kind: 'live' });
      }
    } catch (error) {
      failure = shapeOf(error);
    } finally {
      round.abort();
    }
    if (signal.aborted) return;
    // After a gap the sender is well and only its next snapshot is missing: no reason to alarm anybody, or to wait.
    if (isGap) continue;
    if (told.status.kind === 'live') become({ kind: 'stale', since: now(), error: failure });
    else if (told.status.kind !== 'stale') become({ kind: 'failed', error: failure });
    await pause(pauseMs, signal);
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

/** Any thrown thing as what the page shows. */
export function shapeOf(error: unknown): ErrorShape {
  if (error instanceof DesktopError) return { code: error.code, message: error.message };
  return { code: 'internal', message: error instanceof Error ? error.message : String(error) };
}
