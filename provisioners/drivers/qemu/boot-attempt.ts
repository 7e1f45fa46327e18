import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { MachinePaths } from '../../store/home.ts';
import type { ProcessIdentity } from '../../store/process-identity.ts';
import type { DriverRun } from '../driver.ts';
import type { PreparedStart } from './prepared-start.ts';
import { keepPreparedStart } from './prepared-start.ts';
import type { QemuBoot } from './qemu-arguments.ts';
import { qemuArguments } from './qemu-arguments.ts';
import type { QmpConnection } from './qmp.ts';
import type { StartedVm } from '../vm/vm-process.ts';
import { endVmProcess } from '../vm/vm-process.ts';
import { startQemu } from './qemu-process.ts';
import { connectOnceThere, fromMemory, waitForIncoming } from './suspend.ts';
import { SerialReader } from '../vm/serial.ts';

/**
 * One try to bring a guest up, from starting QEMU to the line that says its sshd listens, or to one of the ways in which
 * it goes wrong. A try that failed has left no process.
 */
export type BootOutcome =
  | {
      readonly kind: 'booted';
      readonly identity: ProcessIdentity;
      readonly elapsedMs: number;
      /** From prepared memory. */
      readonly isContinued: boolean;
    }
  /** It wrote nothing at all: with hardware acceleration, a host that lets guests start but not run. */
  | { readonly kind: 'silent'; readonly why: string }
  /** QEMU itself would not run it. */
  | { readonly kind: 'refused'; readonly why: string }
  /** It ran, and then stopped somewhere. */
  | { readonly kind: 'died'; readonly why: string }
  /** The machine's own boot scripts gave up for a reason that another try does not change. */
  | { readonly kind: 'gave-up'; readonly why: string }
  | { readonly kind: 'port-taken' }
  /** Prepared memory did not bring it up; it is removed. */
  | { readonly kind: 'not-continued'; readonly why: string };

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

/** Here it waits to be told to go on, where it was asked to (prepared-start.ts). */
const standstillStage = 'prepared';

export async function attemptBoot(options: {
  readonly program: string;
  readonly boot: QemuBoot;
  readonly paths: MachinePaths;
  readonly patience: BootPatience;
  readonly run: DriverRun;
  /** Null where the guest does not stand still on its way up. */
  readonly prepared: PreparedStart | null;
}): Promise<BootOutcome & { readonly lastLines: readonly string[] }> {
  const { program, boot, paths, patience, run, prepared } = options;
  const startedAt = performance.now();
  const continued = prepared?.isThere === true ? prepared : null;
  const args = [...qemuArguments(boot), ...(continued === null ? [] : fromMemory(continued.file))];
  const input = prepared === null ? 'none' : 'kept-open';
  const qemu = await startQemu({ program, arguments: args, paths, input });
  const serial = new SerialReader(paths.serialLog);
  const watch = new AbortController();
  const signal = AbortSignal.any([run.signal, watch.signal]);
  const standstill = Promise.withResolvers<undefined>();
  const control = connectForBoot(paths.qmpSocket, { ended: qemu.ended, signal });
  try {
    const outcome = await Promise.race([
      watchSerial({
        serial,
        patience,
        tell: run.tell,
        onStandstill: () => standstill.resolve(undefined),
        signal,
        ended: qemu.ended,
      }),
      watchCondition(control, signal),
      passStandstill(prepared, { qemu, control, reached: standstill.promise, run: { tell: run.tell, signal } }),
    ]);
    if (outcome.kind === 'booted') {
      const elapsedMs = performance.now() - startedAt;
      return { kind: 'booted', identity: qemu.identity, elapsedMs, isContinued: continued !== null, lastLines: [] };
    }
    await endVmProcess(qemu.identity);
    await serial.read();
    const { lastLines } = serial;
    if (continued === null || outcome.kind === 'port-taken') return { ...outcome, lastLines };
    await rm(continued.file, { force: true });
    return { kind: 'not-continued', why: outcome.why, lastLines };
  } catch (error) {
    await endVmProcess(qemu.identity);
    throw error;
  } finally {
    watch.abort();
    qemu.input?.destroy();
    (await control)?.[Symbol.dispose]();
  }
}

type Sign = Exclude<BootOutcome, { kind: 'booted' | 'not-continued' }> | { readonly kind: 'booted' };

async function watchSerial(options: {
  readonly serial: SerialReader;
  readonly patience: BootPatience;
  readonly tell: DriverRun['tell'];
  readonly onStandstill: () => void;
  readonly signal: AbortSignal;
  readonly ended: StartedVm['ended'];
}): Promise<Sign> {
  const { serial, patience, tell, onStandstill, signal } = options;
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
          if (event.stage === standstillStage) onStandstill();
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

/** QEMU's control line for as long as the boot takes; null where there is none, or QEMU has ended, which is told elsewhere. */
async function connectForBoot(
  socket: string | null,
  options: { readonly ended: StartedVm['ended']; readonly signal: AbortSignal },
): Promise<QmpConnection | null> {
  if (socket === null) return null;
  return await connectOnceThere(socket, options.ended, options.signal).catch(() => null);
}

/**
 * A guest that KVM cannot run on ("internal error") is paused, not ended, and says nothing any more; QEMU tells it on its
 * control line at once, which spares waiting for a deadline.
 */
async function watchCondition(control: Promise<QmpConnection | null>, signal: AbortSignal): Promise<Sign> {
  const qmp = await control;
  if (qmp === null) return await never(signal);
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
  return await Promise.race([stopped, never(signal)]);
}

/** Waits for the guest to stand still, or for QEMU to have read one that did; keeps it in the first case; has it go on, and tells it the time. */
async function passStandstill(
  prepared: PreparedStart | null,
  options: {
    readonly qemu: StartedVm;
    readonly control: Promise<QmpConnection | null>;
    readonly reached: Promise<undefined>;
    readonly run: DriverRun;
  },
): Promise<Sign> {
  const { qemu, control, reached, run } = options;
  if (prepared === null) return await never(run.signal);
  try {
    const qmp = await control;
    if (qmp === null) throw new Error('there is no control line to QEMU');
    if (prepared.isThere) {
      await waitForIncoming(qmp, qemu.ended, run);
    } else {
      await Promise.race([reached, never(run.signal)]);
      await qmp.execute('stop');
      await keepPreparedStart(qmp, prepared.file, run);
    }
    await qmp.execute('cont');
    qemu.input?.end(`${Math.round(Date.now() / 1000)}\n`);
  } catch (error) {
    run.signal.throwIfAborted();
    return { kind: 'died', why: `it cannot be had go on: ${error instanceof Error ? error.message : String(error)}` };
  }
  return await never(run.signal);
}

/** Rejects when the boot is over. */
function never(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
