import { stat } from 'node:fs/promises';
import { imageLayout } from '../deploy/machine-layout.ts';
import type { Access, Driver, DriverState, DriverStateQuery } from '../drivers/driver.ts';
import { abilitiesOf } from '../drivers/driver.ts';
import { readAgent } from '../host-agent/agent-state.ts';
import type { Machine, MachineState } from '../machines.ts';
import { MachineError } from '../machines.ts';
import type { MachinePaths } from '../store/home.ts';
import { dockerHost } from '../store/home.ts';
import type { MachineDocument } from '../store/machine-document.ts';
import type { LockVerb } from '../store/machine-lock.ts';
import type { MachineName } from '../store/machine-name.ts';
import type { MachineStore } from '../store/machine-store.ts';

/** What others see of a machine: put together from its document, its driver's answer, its lock's holder and its agent. */
export async function viewMachine(options: {
  readonly store: MachineStore;
  readonly drivers: ReadonlyMap<string, Driver>;
  readonly name: MachineName;
  /** How long its driver may take to answer; default: as long as its kind needs. */
  readonly patienceMs?: number | undefined;
}): Promise<Machine | null> {
  const { store, drivers, name } = options;
  let document: MachineDocument | null;
  try {
    document = await store.read(name);
  } catch (error) {
    return unreadable(store, name, error);
  }
  if (document === null) return null;
  const paths = store.machine(name);
  const driver = drivers.get(document.driver);
  const query = { name, paths, memory: document.driverMemory, settings: document.settings };
  const [holder, agent, asked] = await Promise.all([
    store.lockHolder(name),
    readAgent(paths),
    askDriver(driver, { name: document.driver, query, patienceMs: options.patienceMs }),
  ]);
  const { state, error } = machineState({ document, verb: holder?.verb ?? null, asked });
  return {
    name,
    driver: document.driver,
    state,
    error,
    settings: document.settings,
    abilities: driver === undefined ? [] : abilitiesOf(driver),
    createdAt: document.createdAt,
    dockerHost: dockerHost(paths.dockerSocket),
    dockerSocket: paths.dockerSocket,
    dockerContext: document.dockerContext,
    ssh: sshOf(asked.access, paths),
    engineVersion: document.engine?.version ?? null,
    resources: document.resources,
    facts: document.facts,
    agentLogFile: paths.agentLog,
    engineLogFile: (driver?.host?.place(query).layout ?? imageLayout).engineLog,
    serialLogFile: driver?.capabilities.console === 'serial-log' ? paths.serialLog : null,
    agent: agent?.state ?? null,
  };
}

interface Asked {
  readonly state: DriverState | null;
  readonly access: Access | null;
  /** Why the driver could not tell. */
  readonly trouble: string | null;
}

async function askDriver(
  driver: Driver | undefined,
  about: { readonly name: string; readonly query: DriverStateQuery; readonly patienceMs: number | undefined },
): Promise<Asked> {
  const { name, query } = about;
  if (driver === undefined) return { state: null, access: null, trouble: `This Skiff has no driver "${name}"` };
  try {
    const patienceMs = about.patienceMs ?? patience[driver.capabilities.place];
    const [state, access] = await inTime(Promise.all([driver.state(query), driver.access(query)]), patienceMs);
    return { state, access, trouble: null };
  } catch (error) {
    return { state: null, access: null, trouble: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * A host that does not answer must not hold up the list of the others. A hypervisor of this computer answers by a program, which takes
 * its time to start: nobody is helped by a list that calls its machines unreachable.
 */
const patience = { elsewhere: 200, 'this-computer': 10_000 } as const;

function inTime<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new MachineError('timeout', `It did not answer within ${timeoutMs} ms`)),
      timeoutMs,
    );
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function sshOf(access: Access | null, paths: MachinePaths): Machine['ssh'] {
  if (access?.kind !== 'ssh') return null;
  const { host, port, user } = access;
  return { host, port, user, identityFile: paths.identity, knownHostsFile: paths.knownHosts };
}

/** What others see meanwhile; null: what it was before. */
const underWay: Readonly<Record<LockVerb, MachineState | null>> = {
  create: 'creating',
  start: 'starting',
  stop: 'stopping',
  kill: 'stopping',
  remove: 'removing',
  pause: null,
  resume: null,
  suspend: 'stopping',
  change: null,
};

/** The state as a pure function of what is known. */
export function machineState(known: {
  readonly document: Pick<MachineDocument, 'lifecycle'>;
  /** What somebody is doing with it right now. */
  readonly verb: LockVerb | null;
  readonly asked: Pick<Asked, 'state' | 'trouble'>;
}): { readonly state: MachineState; readonly error: string | null } {
  const { document, verb, asked } = known;
  const { lifecycle } = document;
  const during = verb === null ? null : underWay[verb];
  if (during !== null) return { state: during, error: null };
  switch (lifecycle.phase) {
    case 'creating':
      return {
        state: 'create-failed',
        error: lifecycle.error ?? 'Its creation was interrupted; create it again to go on, or remove it',
      };
    case 'removing':
      return { state: 'remove-failed', error: lifecycle.error ?? 'Its removal was interrupted; remove it again' };
    case 'ready':
      if (asked.state === null) return { state: 'unknown', error: asked.trouble };
      if (asked.state === 'absent')
        return { state: 'unknown', error: 'What the driver made for it is gone; remove the machine' };
      return { state: asked.state, error: null };
  }
}

async function unreadable(store: MachineStore, name: MachineName, error: unknown): Promise<Machine> {
  const paths = store.machine(name);
  const made = await stat(paths.folder);
  const why = error instanceof MachineError ? error.message : String(error);
  return {
    name,
    driver: 'unknown',
    state: 'unknown',
    error: why,
    settings: {},
    abilities: [],
    createdAt: made.birthtime.toISOString(),
    dockerHost: dockerHost(paths.dockerSocket),
    dockerSocket: paths.dockerSocket,
    dockerContext: null,
    ssh: null,
    engineVersion: null,
    resources: [],
    facts: {},
    agentLogFile: paths.agentLog,
    engineLogFile: imageLayout.engineLog,
    serialLogFile: null,
    agent: null,
  };
}
