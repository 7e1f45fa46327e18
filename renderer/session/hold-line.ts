import { contract, type DesktopClient } from '../../desktop/contract/contract.ts';
import type { AppInfo } from '../../desktop/contract/app.ts';
import { connect } from '../../desktop/wire/connect.ts';
import type { Link } from '../../desktop/wire/link.ts';

/**
 * The page's one line to the desktop's core, and what the user is told of it. `refused` is no matter of waiting: the core
 * is there and does not know this page any more.
 */
export type LineState =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'open' }
  | { readonly kind: 'reconnecting'; readonly since: number }
  | { readonly kind: 'refused' };

export interface HoldLine {
  readonly open: (signal: AbortSignal) => Promise<Link>;
  /** Asked after each failure: whether the core answers and turns this page away. */
  readonly isRefused: (signal: AbortSignal) => Promise<boolean>;
  /** A client that works, until `onState` says otherwise. */
  readonly onClient: (client: DesktopClient, info: AppInfo) => void;
  readonly onState: (state: LineState) => void;
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly now: () => number;
  readonly signal: AbortSignal;
}

const firstPauseMs = 250;
const longestPauseMs = 4_000;
const firstAnswerMs = 10_000;

/** Connects, and again whenever the line is lost, until the signal fires; never rejects. */
export async function holdLine(options: HoldLine): Promise<void> {
  const { signal, onState, pause, now } = options;
  let pauseMs = firstPauseMs;
  let lostAt: number | null = null;
  onState({ kind: 'connecting' });
  while (!signal.aborted) {
    const wasOpen = await oneLine(options);
    if (signal.aborted) return;
    if (wasOpen) {
      pauseMs = firstPauseMs;
      lostAt = null;
    }
    lostAt ??= now();
    onState((await options.isRefused(signal)) ? { kind: 'refused' } : { kind: 'reconnecting', since: lostAt });
    await pause(pauseMs, signal);
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

/** One connection from its first answer to its end; false when it gave none. */
async function oneLine({ open, onClient, onState, signal }: HoldLine): Promise<boolean> {
  let link: Link;
  try {
    link = await open(signal);
  } catch {
    // Why a socket did not open is hidden from pages by every browser: "not there" is all there is to know.
    return false;
  }
  const line = connect({ contract, link });
  const close = (): void => line.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    const info = await line.client.app.info({}, { signal, timeoutMs: firstAnswerMs });
    onClient(line.client, info);
    onState({ kind: 'open' });
    await line.closed;
    return true;
  } catch {
    // Closed, or silent for too long, before its first answer: the same as not there, and it is tried again.
    return false;
  } finally {
    signal.removeEventListener('abort', close);
    line.close();
  }
}
