import type { StopRun } from '../driver.ts';

/** Tells the guest over SSH to power off, for one that did not hear its button. That it cannot be told is no error: it is ended then. */
export async function powerOffInside(run: StopRun, timeoutMs: number): Promise<void> {
  try {
    await run.powerOff(AbortSignal.any([run.signal, AbortSignal.timeout(timeoutMs)]));
  } catch (error) {
    run.signal.throwIfAborted();
    run.tell({ detail: `it cannot be told over SSH: ${error instanceof Error ? error.message : String(error)}` });
  }
}
