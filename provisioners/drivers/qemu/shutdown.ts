import type { ProcessIdentity } from '../../store/process-identity.ts';
import { waitForEnd } from '../../store/process-identity.ts';
import { QmpConnection } from './qmp.ts';
import { endVmProcess } from '../vm/vm-process.ts';

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
  await endVmProcess(identity);
}
