import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SerialReader } from '../qemu/serial.ts';

export type BootOutcome = { readonly kind: 'up' } | { readonly kind: 'failed'; readonly why: string };

export interface BootWatch {
  readonly port: number;
  readonly serialLog: string;
  /** Asked now and then: a machine that is gone is not waited for. */
  readonly isRunning: () => Promise<boolean>;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

const pauseMs = 100;
const lookEvery = 20;

/**
 * Waits until the machine's sshd has said who it is. VirtualBox itself takes connections to a forwarded port as soon as the machine
 * runs, and closes them again while nobody listens inside: a connection alone proves nothing.
 */
export async function awaitSsh(watch: BootWatch): Promise<BootOutcome> {
  const { port, serialLog, timeoutMs, signal } = watch;
  const serial = new SerialReader(serialLog);
  const deadline = performance.now() + timeoutMs;
  const failed = (why: string): BootOutcome => {
    const lines = serial.lastLines;
    const console = lines.length === 0 ? 'Its console stayed empty.' : `Its console ended with:\n${lines.join('\n')}`;
    return { kind: 'failed', why: `${why}\n${console}` };
  };
  for (let look = 1; ; look++) {
    if (await hasBanner(port, signal)) return { kind: 'up' };
    for (const event of await serial.read()) {
      if (event.kind === 'failed') return failed(`its start failed (${event.stage}): ${event.why}`);
      if (event.kind === 'panic') return failed('its kernel died');
    }
    if (look % lookEvery === 0 && !(await watch.isRunning())) return failed('it went down while it started');
    if (performance.now() >= deadline) return failed(`its SSH server did not answer within ${timeoutMs / 1000} s`);
    await delay(pauseMs, undefined, { signal });
  }
}

function hasBanner(port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port, signal });
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
