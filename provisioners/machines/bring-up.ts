import { writeFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { unixSocketDialer } from '../../client/dial.ts';
import { EngineClient } from '../../client/engine-client.ts';
import type { Deployment, WantedNode } from '../deploy/deploy-engine.ts';
import { deployEngine } from '../deploy/deploy-engine.ts';
import type { EngineRelease } from '../deploy/engine-release.ts';
import { hostNotes } from '../deploy/host/host-notes.ts';
import { prepareHost } from '../deploy/host/prepare-host.ts';
import type { MachineLayout } from '../deploy/machine-layout.ts';
import type { Access, BootImage, DriverMachine } from '../drivers/driver.ts';
import type { Line } from '../line/line.ts';
import { asRoot } from '../line/root-line.ts';
import { MachineError } from '../machines.ts';
import type { Operation } from '../progress.ts';
import { runStep } from '../progress.ts';
import { knownHostsLine } from '../ssh/keys.ts';
import { SshRefusal } from '../ssh/ssh-error.ts';
import type { CreateStep } from '../store/machine-document.ts';
import type { AgentProgram } from './agent-process.ts';
import { ensureAgent, prepareAgent } from './agent-process.ts';
import type { MachineKeys } from './machine-keys.ts';
import { openLine } from './machine-keys.ts';
import type { MachineSession } from './machine-session.ts';

/** From a machine that is made to one whose engine answers on this computer. Every part does nothing where nothing is to do. */
export interface BringUp {
  readonly session: MachineSession;
  readonly keys: MachineKeys;
  readonly image: BootImage | null;
  /** Begun by the caller before the boot, so that both go on side by side. */
  readonly release: Promise<EngineRelease>;
  readonly layout: MachineLayout;
  /** A runtime for systems that do not bring one. */
  readonly openRuntime: () => Promise<WantedNode>;
  readonly home: string;
  readonly agent: AgentProgram;
  readonly operation: Operation;
  readonly onDone: (step: CreateStep) => Promise<void>;
  /** Also where all seems to be as it should, it is looked at and made anew. */
  readonly isThorough?: boolean;
}

/** How long sshd may take to let us in once the console says that it listens; emulated key exchanges on a busy computer are slow. */
const loginTimeoutMs = 60_000;
/** Boots that end without a login are repeated like those that hang. */
const boots = 2;

export async function bringUp(up: BringUp): Promise<void> {
  const { operation, session } = up;
  if (up.isThorough !== true && (await resumeEngine(up))) return;
  const { host } = session.driver;
  const title = host === undefined ? 'Starting the machine' : 'Connecting to the host';
  const line = await runStep({ step: 'boot', title, operation }, (tell) => bootAndLogIn(up, tell));
  {
    await using connection = line;
    await up.onDone('boot');
    // Its own login takes as long as the engine's start; both wait for the machine, not for each other.
    const agent = connectComputer(up);
    agent.catch(() => undefined);
    const place = await enginePlace(up, connection);
    await runStep({ step: 'deploy-engine', title: 'Deploying the engine', operation }, async (tell) => {
      const release = await up.release;
      const deployed = await deployEngine({
        ...place,
        release,
        signal: operation.signal,
        tell,
      });
      await session.change({ engine: { version: deployed.engineVersion, digest: release.digest } });
      if (!deployed.isNew) tell({ detail: 'it is there already' });
    });
    await up.onDone('deploy');
    await runStep({ step: 'host-agent', title: 'Connecting this computer to the engine', operation }, () => agent);
  }
  await up.onDone('agent');
}

/**
 * The way of every ordinary start: the engine that the machine has is the one that it should have, and its own service starts
 * it; the agent's login is the only one. False when that does not lead to an answer: then all is looked at closely.
 */
async function resumeEngine(up: BringUp): Promise<boolean> {
  const { session, operation, keys, image } = up;
  const { driver, document, name, paths } = session;
  // A host that is not ours may have lost what the engine needs since; it is looked at each time.
  if (driver.host !== undefined) return false;
  if (document.lifecycle.phase !== 'ready' || document.engine?.digest !== (await up.release).digest) return false;
  const machine = session.driverMachine({ keys, image });
  const agentOf = { program: up.agent, home: up.home, name, paths };
  using prepared = await prepareAgent(agentOf);
  await runStep({ step: 'boot', title: 'Starting the machine', operation }, async (tell) => {
    await driver.start(machine, { tell, signal: operation.signal });
    await writeKnownHosts({ machine, access: await driver.access(machine), keys });
  });
  try {
    await runStep({ step: 'engine', title: 'Waiting for the engine', operation }, async (tell) => {
      await ensureAgent(agentOf, { signal: operation.signal, timeoutMs: loginTimeoutMs, prepared });
      tell({ detail: 'connected' });
      await waitForPing(paths.dockerSocket, operation.signal);
    });
    return true;
  } catch {
    operation.signal.throwIfAborted();
    return false;
  }
}

const pingTimeoutMs = 60_000;

async function waitForPing(dockerSocket: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + pingTimeoutMs;
  for (;;) {
    using engine = new EngineClient(unixSocketDialer(dockerSocket), { timeoutMs: 10_000 });
    try {
      await engine.ping({ signal });
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (performance.now() >= deadline) throw error;
    }
    await delay(100, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

export async function connectComputer(up: Pick<BringUp, 'agent' | 'home' | 'session' | 'operation'>): Promise<void> {
  const { session, home, agent, operation } = up;
  const { name, paths } = session;
  await ensureAgent({ program: agent, home, name, paths }, { signal: operation.signal, timeoutMs: 60_000 });
}

/** Where the engine goes, and the line to put it there; a host that is not ours is made fit for it first. */
async function enginePlace(up: BringUp, line: Line): Promise<Pick<Deployment, 'line' | 'layout' | 'node' | 'group'>> {
  const { session, keys, image, operation } = up;
  const { host } = session.driver;
  if (host === undefined) return { line, layout: up.layout, node: null, group: null };
  const machine = session.driverMachine({ keys, image });
  const asRootLine = asRoot(line, host.rights(machine));
  const place = host.place(machine);
  const { id, name } = machine;
  const { facts, group } = await runStep(
    { step: 'prepare-host', title: 'Making the host fit for the engine', operation },
    (tell) =>
      prepareHost({
        line: asRootLine,
        userLine: line,
        place,
        machine: { id, name },
        // Once: a host that another Skiff has taken over since stays its own.
        takesOver: host.takesOver(machine) && session.document.lifecycle.phase === 'creating',
        tell,
        signal: operation.signal,
      }),
  );
  await session.addFacts(hostNotes(facts, place));
  const node = facts.libc === 'musl' ? facts.node : await up.openRuntime();
  return { line: asRootLine, layout: place.layout, node, group };
}

async function bootAndLogIn(
  up: BringUp,
  tell: (progress: { fraction?: number; detail?: string }) => void,
): Promise<Line> {
  const { session, operation, keys, image } = up;
  const { driver } = session;
  const machine = session.driverMachine({ keys, image });
  const run = { tell, signal: operation.signal };
  for (let boot = 1; ; boot++) {
    await driver.start(machine, run);
    try {
      return await logIn(machine, up);
    } catch (error) {
      operation.signal.throwIfAborted();
      // A wrong host key or a refused key would be the same after any number of boots.
      if (error instanceof SshRefusal || boot >= boots) throw error;
      tell({ detail: 'nobody can log in; starting it again' });
      await driver.kill(machine, run);
    }
  }
}

async function logIn(machine: DriverMachine, up: BringUp): Promise<Line> {
  const { session, keys, operation } = up;
  const access = await session.driver.access(machine);
  if (access === null) throw new MachineError('boot-failed', `Machine "${machine.name}" stopped right after its start`);
  await writeKnownHosts({ machine, access, keys });
  return await openLine(access, { keys, signal: operation.signal, deadlineMs: loginTimeoutMs });
}

/** For OpenSSH's programs; our own connection compares with the key itself. The port may be another at each start. */
async function writeKnownHosts(options: {
  readonly machine: DriverMachine;
  readonly access: Access | null;
  readonly keys: MachineKeys;
}): Promise<void> {
  const { machine, access, keys } = options;
  if (access?.kind !== 'ssh') return;
  const { host, port } = access;
  const publicKey = access.hostKey ?? keys.host.publicKey;
  const line = knownHostsLine({ host, port, alias: `skiff-${machine.name}`, publicKey });
  await writeFile(machine.paths.knownHosts, line, { mode: 0o600 });
}
