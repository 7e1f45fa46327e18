import { parseArgs } from 'node:util';
import type { Access, Driver, DriverStateQuery } from '../drivers/driver.ts';
import { openDrivers } from '../drivers/drivers.ts';
import type { Computer } from '../drivers/vm/find-program.ts';
import { imageLayout } from '../deploy/machine-layout.ts';
import { openLine, readKeys } from '../machines/machine-keys.ts';
import { tryLockFile } from '../store/machine-lock.ts';
import { parseMachineName } from '../store/machine-name.ts';
import { MachineStore } from '../store/machine-store.ts';
import { sharesOf } from '../shares/share-setting.ts';
import { boundedLog } from './bounded-log.ts';
import { openBulkTunnel } from './bulk-tunnel.ts';
import { runHostAgent } from './host-agent.ts';
import type { MachineShares } from './keep-shares.ts';
import { neighbourWithPort } from './neighbour-ports.ts';
import { describeOwner, findPortOwner } from './port-owner.ts';

/**
 * The program of a host agent, `--home HOME --machine NAME`: started detached, one for each running machine; a second one for the same
 * machine ends at once. It ends by itself when the machine has stopped, and the process with it. With `--held` it is started beside its
 * machine, and begins when it is told on its standard input that the machine is up.
 */
export async function runAgentProgram(words: readonly string[], computer?: Computer): Promise<never> {
  await serveMachine(words, computer);
  // Nothing that still hangs, a name being looked up say, may keep a process for a machine that is gone.
  process.exit();
}

async function serveMachine(words: readonly string[], computer: Computer | undefined): Promise<void> {
  const options = { home: { type: 'string' }, machine: { type: 'string' }, held: { type: 'boolean' } } as const;
  const { values } = parseArgs({ args: [...words], options });
  if (values.home === undefined || values.machine === undefined)
    throw new Error('usage: main.ts --home HOME --machine NAME [--held]');
  if (values.held === true && !(await isLetGo(process.stdin))) return;
  // Its socket and files are for this user alone.
  process.umask(0o077);
  const name = parseMachineName(values.machine);
  const store = new MachineStore(values.home);
  const paths = store.machine(name);
  const log = boundedLog(paths.agentLog, { limitBytes: 512 * 1024, now: () => new Date() });
  const lock = await tryLockFile(paths.agentLock);
  if (lock === null) return;
  await using _lock = lock;
  const ending = new AbortController();
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => ending.abort());
  const drivers = openDrivers(store.paths, computer);
  const look = async (): Promise<{ readonly driver: Driver; readonly query: DriverStateQuery } | null> => {
    const document = await store.read(name);
    const driver = document === null ? undefined : drivers.get(document.driver);
    if (document === null || driver === undefined) return null;
    const { driverMemory: memory, settings } = document;
    return { driver, query: { name, paths, memory, settings } };
  };
  const access = async (): Promise<Access | null> => {
    const found = await look();
    return found === null ? null : await found.driver.access(found.query);
  };
  const engineSocket = async (): Promise<string> => {
    const found = await look();
    return found?.driver.host?.place(found.query).layout.engineSocket ?? imageLayout.engineSocket;
  };
  const shares = async (): Promise<MachineShares> => {
    const found = await look();
    if (found === null) return { shares: [], whenMissing: 'make', machine: name };
    // On a host that is not ours people may well mean a folder of it; the machine image has none that anybody could mean.
    const whenMissing = found.driver.host === undefined ? 'refuse' : 'make';
    return { shares: sharesOf(found.driver, found.query.settings), whenMissing, machine: name };
  };
  log(`agent ${process.pid} begins`);
  try {
    await runHostAgent({
      paths,
      engineSocket: await engineSocket(),
      openTunnel: async (signal) => {
        const way = await access();
        if (way?.kind !== 'ssh') return null;
        const { identity: identityFile, knownHosts: knownHostsFile, bulkSocket: localSocket } = paths;
        const socket = await engineSocket();
        return openBulkTunnel({ access: way, identityFile, knownHostsFile, localSocket, engineSocket: socket, signal });
      },
      setsClock: (await look())?.driver.host === undefined,
      portsAreHere: (await access())?.kind === 'this-computer',
      ...((await access())?.kind === 'this-computer' ? {} : { shares: { document: paths.document, shares } }),
      ownerOf: async (port) =>
        (await neighbourWithPort(store, { ...port, besides: name })) ?? describeOwner(await findPortOwner(port)),
      log,
      signal: ending.signal,
      open: async (options) => {
        const way = await access();
        return way === null ? null : openLine(way, { ...options, keys: await readKeys(paths) });
      },
    });
    log('agent ends');
  } catch (error) {
    log(`agent ends with an error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    process.exitCode = 1;
  }
}

/** False when who started this process ended without a word, or the machine did not come up. */
async function isLetGo(input: typeof process.stdin): Promise<boolean> {
  const { done } = await input[Symbol.asyncIterator]().next();
  input.destroy();
  return done !== true;
}
