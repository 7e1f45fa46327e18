import { readProcess, waitForEnd } from '../../provisioners/store/process-identity.ts';

/** Ends processes as a crash does; resolves when they are gone. */
export async function crashAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    const found = await readProcess(pid);
    if (found === null) continue;
    process.kill(pid, 'SIGKILL');
    if (!(await waitForEnd(found, { timeoutMs: 10_000 }))) throw new Error(`the machine's process ${pid} goes on`);
  }
}
