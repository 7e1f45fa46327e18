import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SerialReader } from './serial.ts';

export type SshOutcome = { readonly kind: 'up' } | { readonly kind: 'failed'; readonly why: string };

export interface SshWatch {
  /** Where its SSH is, as far as is known yet: a machine with a foreign network's address has none at first. Asked at each look (0, 1, …). */
  readonly address: (look: number) => Promise<{ readonly host: string; readonly port: number } | null>;
  /** Null: its console is seen by nobody. */
  readonly serialLog: string | null;
  /** Asked now and then: a machine that is gone is not waited for. */
  readonly isRunning: () => Promise<boolean>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const pauseMs = 100;
const lookEvery = 20;

/**
 * Waits until the machine's sshd has said who it is. Hypervisors themselves take connections to a forwarded port as soon as the
 * machine runs, and close them again while nobody listens inside: a connection alone proves nothing.
 */
export async function awaitSsh(watch: SshWatch): Promise<SshOutcome> {
  const { serialLog, timeoutMs, signal } = watch;
  const serial = serialLog === null ? null : new SerialReader(serialLog);
  const deadline = performance.now() + timeoutMs;
  const failed = (why: string): SshOutcome => {
    if (serial === null) return { kind: 'failed', why };
    const lines = serial.lastLines;
    const console = lines.length === 0 ? 'Its console stayed empty.' : `Its console ended with:\n${lines.join('\n')}`;
    return { kind: 'failed', why: `${why}\n${console}` };
  };
  for (let look = 0; ; look++) {
    const address = await watch.address(look);
    if (address !== null && (await hasBanner(address, signal))) return { kind: 'up' };
    for (const event of (await serial?.read()) ?? []) {
      if (event.kind === 'failed') return failed(`its start failed (${event.stage}): ${event.why}`);
      if (event.kind === 'panic') return failed('its kernel died');
    }
    if (look % lookEvery === lookEvery - 1 && !(await watch.isRunning()))
      return failed('it went down while it started');
    if (performance.now() >= deadline) {
      const what = address === null ? 'it was given no address' : 'its SSH server did not answer';
      return failed(`${what} within ${timeoutMs / 1000} s`);
    }
    // The signal's own reason, not that of the delay.
    await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

function hasBanner(address: { readonly host: string; readonly port: number }, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...address, signal });
    const end = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(2_000, () => end(false));
    socket.once('data', (bytes: Buffer) => end(bytes.toString('latin1').startsWith('SSH-2.0-')));
    socket.once('error', () => end(false));
    socket.once('close', () => end(false));
  });
}
