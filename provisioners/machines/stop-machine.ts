import type { DriverRun } from '../drivers/driver.ts';
import { endAgent } from './agent-process.ts';
import { keysIfThere, openLine, readKeys } from './machine-keys.ts';
import type { MachineSession } from './machine-session.ts';

/** Takes a running machine down and ends its host agent. The caller holds the lock. */
export async function stopMachine(
  session: MachineSession,
  options: { readonly verb: 'stop' | 'kill'; readonly graceMs: number; readonly run: DriverRun },
): Promise<void> {
  const { verb, graceMs, run } = options;
  const machine = session.driverMachine(await keysIfThere(session.paths));
  if (verb === 'kill') await session.driver.kill(machine, run);
  else await session.driver.stop(machine, { ...run, graceMs, powerOff: (signal) => powerOff(session, signal) });
  await endAgent(session.paths);
}

async function powerOff(session: MachineSession, signal: AbortSignal): Promise<void> {
  const { paths, driver, query } = session;
  const access = await driver.access(query);
  if (access === null) return;
  const keys = await readKeys(paths);
  await using line = await openLine(access, { keys, signal, deadlineMs: 10_000 });
  await line.run('poweroff', { signal, timeoutMs: 10_000 });
}
