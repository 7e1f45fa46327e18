import { conflict, EngineError, internal, invalid, notModified } from '../../model/errors.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import type { Parts } from '../parts.ts';
import { unpause } from './pause.ts';
import { signalNumber } from './signals.ts';
import { type ContainerState, countsAsRunning } from '../state.ts';

const kill = 9;
const defaultStopTimeoutSeconds = 10;
/** After KILL the kernel has only to tidy up; longer means that the process hangs in the kernel (a dead network disk). */
const killTimeoutMs = 30_000;

export interface StopOptions {
  /** Seconds between the stop signal and KILL; negative waits for ever; null is the container's own, else ten. */
  readonly timeoutSeconds: number | null;
  /** Null: the container's own, else TERM. */
  readonly signal: string | null;
}

/**
 * Asks the container to end, then ends it. Resolves when it has ended. Throws `not-modified` when it does not run. A start
 * that is under way is waited for. A client that goes away does not stop the stop.
 */
export async function stopContainer(parts: Parts, container: Container, options: StopOptions): Promise<void> {
  const signal = signalNumber(options.signal ?? container.spec.stopSignal ?? 'TERM');
  const before = await markStopped(parts, container, 'ends');
  if (!countsAsRunning(before)) throw notModified(`container ${container.name} is not running`);
  const seconds = options.timeoutSeconds ?? container.spec.stopTimeoutSeconds ?? defaultStopTimeoutSeconds;
  if (countsAsRunning(container.state)) {
    await sendSignal(parts, container, signal);
    await thawToDie(parts, container);
    const hasEnded = await endsWithin(container, seconds < 0 ? null : seconds * 1000);
    if (!hasEnded) await endNow(parts, container);
  }
  publishContainerEvent(parts, container, 'stop');
}

/** Throws `conflict` when it does not run, `invalid` for an unknown signal. KILL also waits for the end. */
export async function killContainer(parts: Parts, container: Container, signalText: string): Promise<void> {
  const signal = signalToSend(container, signalText);
  if (!countsAsRunning(container.state)) throw notRunning(container);
  const isEnding = countsAsStop(container, signal);
  const before = await markStopped(parts, container, isEnding ? 'ends' : 'goes-on');
  if (!countsAsRunning(before)) throw notRunning(container);
  if (before.status === 'restarting') return;
  await sendSignal(parts, container, signal);
  if (isEnding) await thawToDie(parts, container);
  if (signal === kill) await endsWithin(container, 10_000);
}

function signalToSend(container: Container, text: string): number {
  try {
    return signalNumber(text === '' ? 'KILL' : text);
  } catch (error) {
    // Docker tells numbers apart from names.
    const isNumber = /^-?[1-9]\d*$/.test(text);
    const why = isNumber ? `the linux daemon does not support signal ${text}` : `invalid signal: ${text}`;
    throw invalid(`cannot kill container: ${container.name}: ${why}`, { cause: error });
  }
}

/** KILL, and wait for the end; no policy starts it again. Does nothing when it has ended. */
export async function endNow(parts: Parts, container: Container): Promise<void> {
  if (!countsAsRunning(container.state)) return;
  await markStopped(parts, container, 'ends');
  if (!countsAsRunning(container.state)) return;
  await sendSignal(parts, container, kill);
  await thawToDie(parts, container);
  if (!(await endsWithin(container, killTimeoutMs))) {
    throw internal(
      `container ${container.name} did not end within ${killTimeoutMs / 1000} s of KILL: its process hangs in the kernel`,
    );
  }
}

/** Docker's rule: KILL and the container's own stop signal do; any signal does when it has none of its own. */
function countsAsStop({ spec }: Container, signal: number): boolean {
  return signal === kill || spec.stopSignal === null || signalNumber(spec.stopSignal) === signal;
}

/**
 * Remembers that somebody has laid hands on it, before the signal is sent: a crash in between must not make a policy start
 * again what somebody ended. One that only waits for its restart has ended with that. Returns the state before.
 */
async function markStopped(parts: Parts, container: Container, mark: 'ends' | 'goes-on'): Promise<ContainerState> {
  return await container.queue.run(async () => {
    const { state, history, id } = container;
    if (!countsAsRunning(state)) return state;
    const isRestartCancelled = history.isRestartCancelled || mark === 'ends';
    const marked = { ...history, isManuallyStopped: true, isRestartCancelled };
    if (state.status === 'restarting' && isRestartCancelled) {
      parts.restarts.cancel(id);
      const { restartAt: _, ...exit } = state;
      const exited = { ...exit, status: 'exited' } as const;
      parts.rows.settle(id, exited, marked);
      container.changeHistory(marked);
      container.moveTo(exited);
      container.wakeExited(exited.exitCode);
    } else if (!history.isManuallyStopped || history.isRestartCancelled !== isRestartCancelled) {
      try {
        parts.rows.changeHistory(id, marked);
      } catch (error) {
        // A full disk: to stop what fills it must still be possible.
        parts.log.warn('that somebody stopped it could not be written', { container: id, error });
      }
      container.changeHistory(marked);
    }
    await Promise.resolve();
    return state;
  });
}

/** A frozen process does not see its signal. */
async function thawToDie(parts: Parts, container: Container): Promise<void> {
  await container.queue.run(async () => {
    if (container.state.status === 'paused') unpause(parts, container, container.state);
    await Promise.resolve();
  });
}

async function sendSignal(parts: Parts, container: Container, signal: number): Promise<void> {
  try {
    await parts.monitor.signal(container.id, signal);
    publishContainerEvent(parts, container, 'kill', { signal: String(signal) });
  } catch (error) {
    // It may end by itself between our look and the signal: then what was wanted is there.
    if (!(error instanceof EngineError && (error.kind === 'conflict' || error.kind === 'not-found'))) throw error;
  }
}

function notRunning(container: Container): Error {
  return conflict(`cannot kill container: ${container.name}: container ${container.id} is not running`);
}

/** Null waits for ever. */
async function endsWithin(container: Container, timeoutMs: number | null): Promise<boolean> {
  const timeout = new AbortController();
  const timer = timeoutMs === null ? null : setTimeout(() => timeout.abort(new Error('timeout')), timeoutMs);
  try {
    await container.wait('not-running', timeout.signal);
    return true;
  } catch (error) {
    if (timeout.signal.aborted) return false;
    throw error;
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}
