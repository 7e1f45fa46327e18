import { EngineClient } from '../../client/engine-client.ts';
import type { DriverRun } from '../drivers/driver.ts';
import type { Line } from '../line/line.ts';
import { shellQuote } from '../line/line.ts';
import { asRoot } from '../line/root-line.ts';
import { endAgent } from './agent-process.ts';
import { openLine, readKeys } from './machine-keys.ts';
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
  const { paths, driver, query } = session;
  const access = await driver.access(query);
  if (access === null) return;
  const keys = await readKeys(paths);
  await using line = await openLine(access, { keys, signal, deadlineMs: 10_000 });
  if (driver.host === undefined) {
    await line.run('poweroff', { signal, timeoutMs: 10_000 });
    return;
  }
  const place = driver.host.place(query);
  await stopContainers(line, { socket: place.layout.engineSocket, signal });
  const root = asRoot(line, driver.host.rights(session.driverMachine({ keys, image: null })));
  await root.check(shellQuote(`${place.serviceFolder}/engine-stop`), { signal, timeoutMs: 30_000 });
}

/** On a host that is not ours nothing else would end them: their monitor outlives the engine. */
async function stopContainers(
  line: Line,
  options: { readonly socket: string; readonly signal: AbortSignal },
): Promise<void> {
  const { socket, signal } = options;
  using engine = new EngineClient((dialSignal) => line.dialUnix(socket, dialSignal), { timeoutMs: 60_000 });
  const running = await engine.containers.list({}, { signal });
  await Promise.all(running.map(({ Id }) => engine.containers.stop(Id, {}, { signal })));
}
