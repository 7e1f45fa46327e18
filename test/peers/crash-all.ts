import { isErrno } from '../../provisioners/store/atomic-file.ts';
import { readProcess, waitForEnd } from '../../provisioners/store/process-identity.ts';

/** Ends processes as a crash does; resolves when they are gone. */
export async function crashAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    const found = await readProcess(pid);
    if (found === null) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      // It has ended by itself meanwhile.
      if (!isErrno(error, 'ESRCH')) throw error;
    }
    if (!(await waitForEnd(found, { timeoutMs: 30_000 }))) throw new Error(`the machine's process ${pid} goes on`);
  }
}
