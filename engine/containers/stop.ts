import { conflict, EngineError, internal, notModified } from '../model/errors.ts';
import type { Container } from './container.ts';
import { publishContainerEvent } from './container-events.ts';
import type { Parts } from './parts.ts';
import { signalNumber } from './signals.ts';

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
 * Asks the container to end, then ends it. Resolves when it has ended. Throws `not-modified` when it does not run. A client
 * that goes away does not stop the stop.
 */
export async function stopContainer(parts: Parts, container: Container, options: StopOptions): Promise<void> {
  const signal = signalNumber(options.signal ?? container.spec.stopSignal ?? 'TERM');
  if (container.state.status !== 'running') throw notModified(`container ${container.name} is not running`);
  const seconds = options.timeoutSeconds ?? container.spec.stopTimeoutSeconds ?? defaultStopTimeoutSeconds;
  await sendSignal(parts, container, signal);
  const hasEnded = await endsWithin(container, seconds < 0 ? null : seconds * 1000);
  if (!hasEnded) await endNow(parts, container);
  publishContainerEvent(parts, container, 'stop');
}

/** Throws `conflict` when it does not run, `invalid` for an unknown signal. KILL also waits for the end. */
export async function killContainer(parts: Parts, container: Container, signalText: string): Promise<void> {
  const signal = signalNumber(signalText === '' ? 'KILL' : signalText);
  if (container.state.status !== 'running')
    throw conflict(`cannot kill container: ${container.name}: container ${container.id} is not running`);
  await sendSignal(parts, container, signal);
  if (signal === kill) await endsWithin(container, 10_000);
}

/** KILL, and wait for the end. Does nothing when it has ended. */
export async function endNow(parts: Parts, container: Container): Promise<void> {
  if (container.state.status !== 'running') return;
  await sendSignal(parts, container, kill);
  if (!(await endsWithin(container, killTimeoutMs))) {
    throw internal(
      `container ${container.name} did not end within ${killTimeoutMs / 1000} s of KILL: its process hangs in the kernel`,
    );
  }
}

async function sendSignal(parts: Parts, container: Container, signal: number): Promise<void> {
  try {
    await parts.monitor.signal(container.id, signal);
    publishContainerEvent(parts, container, 'kill', { signal: String(signal) });
  } catch (error) {
    // It may end by itself between our look and the signal: then what was wanted is there.
    if (!(error instanceof EngineError && error.kind === 'conflict')) throw error;
  }
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
