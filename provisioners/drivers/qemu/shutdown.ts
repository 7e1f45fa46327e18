import type { ProcessIdentity } from '../../store/process-identity.ts';
import { isAlive, waitForEnd } from '../../store/process-identity.ts';
import type { StopRun } from '../driver.ts';
import { QmpConnection } from './qmp.ts';
import { endQemu } from './qemu-process.ts';

/** The ways to end a guest, from the kindest on. */

/** False when QEMU could not be told. */
export async function pressPowerButton(socket: string | null): Promise<boolean> {
  if (socket === null) return false;
  try {
    using qmp = await QmpConnection.connect(socket);
    await qmp.execute('system_powerdown');
    return true;
  } catch {
    return false;
  }
}

export async function powerOffInside(
  run: StopRun,
  options: { readonly identity: ProcessIdentity; readonly deadline: number },
): Promise<void> {
  const remainingMs = options.deadline - performance.now();
  if (remainingMs <= 0 || !(await isAlive(options.identity))) return;
  try {
    await run.powerOff(AbortSignal.any([run.signal, AbortSignal.timeout(Math.ceil(remainingMs))]));
  } catch (error) {
    run.signal.throwIfAborted();
    run.tell({ detail: `it cannot be told over SSH: ${error instanceof Error ? error.message : String(error)}` });
  }
}

/** QEMU's own end flushes its disk caches; a process that does not take it is killed. */
export async function quitQemu(socket: string | null, identity: ProcessIdentity): Promise<void> {
  if (socket !== null) {
    try {
      using qmp = await QmpConnection.connect(socket);
      await qmp.execute('quit');
    } catch {
      // It may end before it answers; whether it did is looked at below.
    }
    if (await waitForEnd(identity, { timeoutMs: 3_000 })) return;
  }
  await endQemu(identity);
}
