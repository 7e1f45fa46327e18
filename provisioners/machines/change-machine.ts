import type { Driver, DriverMachine, DriverRun } from '../drivers/driver.ts';
import type { Ability, MachineSettings, MachineSnapshot } from '../machines.ts';
import { MachineError } from '../machines.ts';
import { storedSettings } from '../settings/driver-settings.ts';
import { parseSnapshotName } from '../store/machine-name.ts';
import { endAgent } from './agent-process.ts';
import { keysIfThere, openLine, readKeys } from './machine-keys.ts';
import type { MachineSession } from './machine-session.ts';

/** What only some machines can do, each through its driver's role. The caller holds the lock. */

/** The role, or an error that says which drivers would have it. */
function roleOf<R>(session: MachineSession, role: R | undefined, ability: Ability): R {
  if (role !== undefined) return role;
  const what: Readonly<Record<Ability, string>> = {
    pause: 'cannot be paused',
    suspend: 'cannot be suspended',
    resize: 'cannot be resized',
    snapshots: 'has no snapshots',
    copies: 'cannot be copied',
    'file-sharing': 'cannot share files',
  };
  throw new MachineError(
    'not-supported',
    `Machine "${session.name}" ${what[ability]}: its driver (${session.driver.title}) cannot do that`,
  );
}

/** Its line breaks with it, so its host agent ends first: clients are told at once that it does not run. */
export async function pauseMachine(session: MachineSession, run: DriverRun): Promise<void> {
  const role = roleOf(session, session.driver.pause, 'pause');
  await expectState(session, 'running');
  await endAgent(session.paths);
  await role.pause(await machineOf(session), run);
}

export async function resumeMachine(session: MachineSession, run: DriverRun): Promise<void> {
  const role = roleOf(session, session.driver.pause, 'pause');
  await expectState(session, 'paused');
  await role.resume(await machineOf(session), run);
}

export async function suspendMachine(session: MachineSession, run: DriverRun): Promise<void> {
  const role = roleOf(session, session.driver.suspend, 'suspend');
  await expectState(session, 'running');
  await endAgent(session.paths);
  await role.suspend(await machineOf(session), run);
}

/** The settings that wait for the next start. */
export async function resizeMachine(
  session: MachineSession,
  wanted: MachineSettings,
  run: DriverRun,
): Promise<readonly string[]> {
  const { driver, document } = session;
  const role = roleOf(session, driver.resize, 'resize');
  refuseShrinking(document.settings, wanted);
  const changed = Object.keys(wanted).filter((key) => wanted[key] !== undefined);
  const fixed = driver.settings.fields.find(({ key, change }) => changed.includes(key) && change === 'never');
  if (fixed !== undefined)
    throw new MachineError(
      'invalid-setting',
      `${fixed.title} (--${fixed.flag}) cannot be changed once a machine is made`,
    );
  const settings = storedSettings(driver.settings.fields, {
    ...driver.settings.resolve({ ...document.settings, ...wanted }),
  });
  await session.change({ settings });
  if ((await driver.state(session.query)) !== 'running') return [];
  const waiting = await role.resize(await machineOf(session), run);
  if (wanted.diskBytes !== undefined) await growFileSystem(session, run.signal);
  return waiting;
}

/** A file system cannot be made smaller while it is in use, nor safely at all. */
function refuseShrinking(now: MachineSettings, wanted: MachineSettings): void {
  if (wanted.diskBytes === undefined || wanted.diskBytes >= (now.diskBytes ?? 0)) return;
  throw new MachineError(
    'invalid-setting',
    'A disk only grows. To have a smaller one, create another machine and move what you need',
  );
}

async function growFileSystem(session: MachineSession, signal: AbortSignal): Promise<void> {
  const access = await session.driver.access(session.query);
  if (access === null) return;
  await using line = await openLine(access, { keys: await readKeys(session.paths), signal, deadlineMs: 20_000 });
  // Hypervisors differ in what the disk is called.
  const disk = `"$(awk '$2 == "/var/lib/skiff" { print $1 }' /proc/mounts)"`;
  await line.check(`resize2fs ${disk}`, { signal, timeoutMs: 120_000 });
}

export type SnapshotVerb = 'take' | 'restore' | 'remove';

export async function changeSnapshot(
  session: MachineSession,
  what: { readonly verb: SnapshotVerb; readonly snapshot: string },
  run: DriverRun,
): Promise<void> {
  const role = roleOf(session, session.driver.snapshots, 'snapshots');
  const name = parseSnapshotName(what.snapshot);
  if (what.verb !== 'remove') await expectState(session, 'stopped');
  await role[what.verb](await machineOf(session), name, run);
}

export async function listSnapshots(session: MachineSession): Promise<readonly MachineSnapshot[]> {
  return roleOf(session, session.driver.snapshots, 'snapshots').list(session.query);
}

export function copyRoleOf(session: MachineSession): NonNullable<Driver['copies']> {
  return roleOf(session, session.driver.copies, 'copies');
}

export async function machineOf(session: MachineSession): Promise<DriverMachine> {
  return session.driverMachine(await keysIfThere(session.paths));
}

export async function expectState(session: MachineSession, wanted: 'running' | 'stopped' | 'paused'): Promise<void> {
  const state = await session.driver.state(session.query);
  if (state === wanted) return;
  const { name } = session;
  const code = wanted === 'running' ? 'not-running' : wanted === 'stopped' ? 'already-running' : 'not-running';
  const how = wanted === 'stopped' ? `; stop it with \`skiff machine stop ${name}\`` : '';
  throw new MachineError(code, `Machine "${name}" is ${state}, it must be ${wanted} for that${how}`);
}
