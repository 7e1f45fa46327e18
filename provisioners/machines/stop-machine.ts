import type { DriverRun } from '../drivers/driver.ts';
import { connectSsh } from '../ssh/ssh-connection.ts';
import { endAgent } from './agent-process.ts';
import { readKeys, sshTarget } from './machine-keys.ts';
import type { MachineSession } from './machine-session.ts';
import { withoutKeys } from './machine-session.ts';

/** Takes a running machine down and ends its host agent. The caller holds the lock. */
export async function stopMachine(
  session: MachineSession,
  options: { readonly verb: 'stop' | 'kill'; readonly graceMs: number; readonly run: DriverRun },
): Promise<void> {
  const { verb, graceMs, run } = options;
  const machine = session.driverMachine(withoutKeys);
  if (verb === 'kill') await session.driver.kill(machine, run);
  else await session.driver.stop(machine, { ...run, graceMs, powerOff: (signal) => powerOff(session, signal) });
  await endAgent(session.paths);
}

async function powerOff(session: MachineSession, signal: AbortSignal): Promise<void> {
  const { name, paths, driver, document } = session;
  const address = await driver.address({ name, paths, memory: document.driverMemory });
  if (address === null) return;
  await using ssh = await connectSsh(sshTarget(address, await readKeys(paths)), { signal, deadlineMs: 10_000 });
  await ssh.run('poweroff', { signal, timeoutMs: 10_000 });
}
