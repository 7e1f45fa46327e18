import { setTimeout as delay } from 'node:timers/promises';
import type { MachinePaths } from '../../store/home.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import type { DriverRun } from '../driver.ts';
import { QmpConnection } from './qmp.ts';
import type { StartedVm } from '../vm/vm-process.ts';
import { endVmProcess } from '../vm/vm-process.ts';
import { startQemu } from './qemu-process.ts';
import { SerialReader } from '../vm/serial.ts';

/**
 * One try to bring a guest up, from starting QEMU to the line that says its sshd listens, or to one of the ways in which
 * it goes wrong. A try that failed has left no process.
 */
export type BootOutcome =
  | { readonly kind: 'booted'; readonly identity: ProcessIdentity; readonly elapsedMs: number }
  /** It wrote nothing at all: with hardware acceleration, a host that lets guests start but not run. */
  | { readonly kind: 'silent'; readonly why: string }
  /** QEMU itself would not run it. */
  | { readonly kind: 'refused'; readonly why: string }
  /** It ran, and then stopped somewhere. */
  | { readonly kind: 'died'; readonly why: string }
  /** The machine's own boot scripts gave up for a reason that another try does not change. */
  | { readonly kind: 'gave-up'; readonly why: string }
  | { readonly kind: 'port-taken' };

export interface BootPatience {
  /** Until the first byte on the console. */
  readonly firstSignMs: number;
  /** From one stage to the next. */
  readonly nextStageMs: number;
}

/** Stages that may take long for a good reason: the size of the disk decides. */
const slowStages: ReadonlySet<string> = new Set(['data-format', 'data-check']);
const slowStageMs = 180_000;

/** From here on somebody can log in. */
export const lastBootStage = 'sshd';

export async function attemptBoot(options: {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly paths: MachinePaths;
  readonly patience: BootPatience;
  readonly run: DriverRun;
}): Promise<BootOutcome & { readonly lastLines: readonly string[] }> {
  const { program, paths, patience, run } = options;
  const startedAt = performance.now();
  const qemu = await startQemu({ program, arguments: options.arguments, paths });
  const serial = new SerialReader(paths.serialLog);
  const watch = new AbortController();
  const signal = AbortSignal.any([run.signal, watch.signal]);
  try {
    const outcome = await Promise.race([
      watchSerial({ serial, patience, tell: run.tell, signal, ended: qemu.ended }),
      watchCondition(paths.qmpSocket, signal),
    ]);
    if (outcome.kind === 'booted') {
      return { kind: 'booted', identity: qemu.identity, elapsedMs: performance.now() - startedAt, lastLines: [] };
    }
    await endVmProcess(qemu.identity);
    await serial.read();
    return { ...outcome, lastLines: serial.lastLines };
  } catch (error) {
    await endVmProcess(qemu.identity);
    throw error;
  } finally {
    watch.abort();
  }
}

type Sign = Exclude<BootOutcome, { kind: 'booted' }> | { readonly kind: 'booted' };

async function watchSerial(options: {
  readonly serial: SerialReader;
  readonly patience: BootPatience;
  readonly tell: DriverRun['tell'];
  readonly signal: AbortSignal;
  readonly ended: StartedVm['ended'];
}): Promise<Sign> {
  const { serial, patience, tell, signal } = options;
  let exit: QemuExit | null = null;
  const noteExit = options.ended.then((how) => {
    exit = how;
  });
  let deadline = performance.now() + patience.firstSignMs;
  let stage = 'the first line on its console';
  for (;;) {
    // Asked before reading: what QEMU's guest wrote last is in the log by then, and says more than an exit code.
    const lastWord: QemuExit | null = exit;
    const before = serial.byteCount;
    for (const event of await serial.read()) {
      switch (event.kind) {
        case 'stage':
          if (event.stage === lastBootStage) return { kind: 'booted' };
          tell({ detail: `${event.stage} after ${event.guestSeconds.toFixed(1)} s` });
          stage = `what follows ${event.stage}`;
          deadline = performance.now() + (slowStages.has(event.stage) ? slowStageMs : patience.nextStageMs);
          break;
        case 'failed':
          return { kind: 'gave-up', why: `${event.stage}: ${event.why}` };
        case 'panic':
          return { kind: 'died', why: event.line };
      }
    }
    if (lastWord !== null) return describeExit(lastWord, serial);
    if (before === 0 && serial.byteCount > 0) deadline = Math.max(deadline, performance.now() + patience.nextStageMs);
    if (performance.now() > deadline) {
      const why = `nothing came for too long while waiting for ${stage}`;
      return serial.byteCount === 0 ? { kind: 'silent', why } : { kind: 'died', why };
    }
    // The log is a file, so that it is kept without anybody reading; 10 ms is far below what a boot takes.
    await Promise.race([noteExit, delay(10, undefined, { signal })]);
  }
}

interface QemuExit {
  readonly exitCode: number | null;
  readonly complaint: string;
}

function describeExit({ exitCode, complaint }: QemuExit, serial: SerialReader): Sign {
  if (/Could not set up host forwarding rule/.test(complaint)) return { kind: 'port-taken' };
  if (exitCode === 0 || serial.byteCount > 0)
    return { kind: 'died', why: complaint || 'the machine went off by itself' };
  return { kind: 'refused', why: complaint || `QEMU ended with exit code ${exitCode ?? 'by a signal'}` };
}

/**
 * A guest that KVM cannot run on ("internal error") is paused, not ended, and says nothing any more; QEMU tells it on its
 * control socket at once, which spares waiting for a deadline.
 */
async function watchCondition(socket: string | null, signal: AbortSignal): Promise<Sign> {
  const never = new Promise<Sign>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  // It may be rejected while the connection below is still awaited; that is no error of its own.
  never.catch(() => undefined);
  if (socket === null) return never;
  const connection = await connectWhenThere(socket, signal);
  if (connection === null) return never;
  using qmp = connection;
  const stopped = new Promise<Sign>((resolve) => {
    const look = async (): Promise<void> => {
      const status = await qmp.status();
      if (status === 'internal-error' || status === 'guest-panicked' || status === 'io-error') {
        resolve({ kind: 'died', why: `QEMU reports "${status}"` });
      }
    };
    // An error here means that QEMU has ended, which is told elsewhere.
    const ignore = (): void => undefined;
    qmp.onEvent((event) => {
      if (event === 'STOP' || event === 'GUEST_PANICKED') look().catch(ignore);
    });
    look().catch(ignore);
  });
  return await Promise.race([stopped, never]);
}

async function connectWhenThere(socket: string, signal: AbortSignal): Promise<QmpConnection | null> {
  for (let tries = 0; tries < 100; tries++) {
    try {
      return await QmpConnection.connect(socket);
    } catch {
      await delay(50, undefined, { signal });
    }
  }
  return null;
}
