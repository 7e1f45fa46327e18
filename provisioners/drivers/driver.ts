/**
 * What a driver is: one module that makes machines of one kind and runs them. It knows nothing of SSH sessions, engines
 * or contexts; those are the same for every driver and stand in `machines/`.
 *
 * A machine's life as its driver sees it, and the calls that change it:
 *
 *     absent -- create --> stopped -- start --> running -- stop / kill --> stopped -- remove --> absent
 *                                                 | ^
 *                                           pause | | resume      suspend: running --> suspended -- start --> running
 *                                                 v |
 *                                               paused
 *
 * Worked example, as `machines/` does it:
 *
 *     const why = await driver.availability();                     // null: it can be used
 *     const settings = driver.settings.resolve({ cpus: 2 });
 *     await driver.preCreateCheck(machine, run);
 *     await driver.create(machine, run);                           // 'stopped'
 *     await driver.start(machine, run);                            // 'running', reached as access() says
 *     const access = await driver.access(machine);
 *     await driver.stop(machine, { ...run, graceMs: 30_000, powerOff });
 *     await driver.remove(machine, run);                           // 'absent'
 *
 * The caller holds the machine's lock during every call that changes it, so calls for one machine never overlap;
 * calls for different machines may. `state` and `access` are also asked by others while such a call is under way.
 *
 * Rules for every driver, proved by driver.suite.ts:
 * - Every call that changes something MUST be repeatable: done again after a crash at any point it MUST reach the same end.
 * - It MUST NOT leave anything outside `machine.paths` that `remove` does not find again. What it makes elsewhere (a cloud's
 *   server, a disk) it MUST note in `machine.resources` before it asks for it, and tag with the machine's id (resources.ts);
 *   where its tool can carry a tag, with the owner's too, and has the role `tagged`.
 * - Errors MUST be MachineError, and say what to do next. Aborting `signal` MUST end the call soon, with the signal's reason.
 * - It MUST keep secrets out of memory, facts and errors.
 *
 * What only some kinds can do is a role of its own (`pause`, `snapshots`, ...): a driver that has it has all of it.
 */
import type { HostPlace } from '../deploy/host/host-place.ts';
import type { Ability, MachineSettings, MachineSnapshot } from '../machines.ts';
import type { DriverSettings } from '../settings/driver-settings.ts';
import type { SshKeyPair } from '../ssh/keys.ts';
import type { MachinePaths } from '../store/home.ts';
import type { MachineName } from '../store/machine-name.ts';
import type { ResourceJournal } from './resources.ts';

export type DriverState = 'absent' | 'stopped' | 'running' | 'paused' | 'suspended';

export interface DriverCapabilities {
  /** `skiff-image`: it boots Skiff's machine image, which it is then given. `existing-system`: the system is there and is made fit. */
  readonly system: 'skiff-image' | 'existing-system';
  /** Whether everything of a machine lies on this computer, so that what runs of it can be found by the machine's folder alone. */
  readonly place: 'this-computer' | 'elsewhere';
  /** Whether the console's output lands in `paths.serialLog`. */
  readonly console: 'serial-log' | 'none';
}

/** How this computer reaches a machine that runs. */
export type Access = SshAccess | { readonly kind: 'this-computer' };

export interface SshAccess {
  readonly kind: 'ssh';
  readonly host: string;
  /** May be another at the next start. */
  readonly port: number;
  /** Everybody who holds the machine's key logs in as this user. */
  readonly user: string;
  /** Public key line that it must prove itself with; null: the host key in the machine's folder. */
  readonly hostKey: string | null;
  /** Hosts on the way, first to last. */
  readonly jumps: readonly SshJump[];
}

export interface SshJump {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** Public key line. */
  readonly hostKey: string;
}

/** One machine as its driver is given it. */
export interface DriverMachine {
  readonly name: MachineName;
  /** Never the same again, also when a machine of that name is made anew: what outside resources are tagged with. */
  readonly id: string;
  /** Id of this installation of Skiff (of its home): what is made elsewhere is tagged with it too, so that it is found when all else is lost. */
  readonly owner: string;
  /** As `settings.resolve` made them; secrets only where this operation was given them. */
  readonly settings: MachineSettings;
  readonly resources: ResourceJournal;
  /** Folder and file names that are the machine's own; the folder exists, 0700. */
  readonly paths: MachinePaths;
  /** What this driver remembered last; empty for a new machine. Drivers check its shape when they read it. */
  readonly memory: Readonly<Record<string, unknown>>;
  /** Replaces memory and adds facts (for people); durable when it resolves. For the lock's holder alone. */
  remember(memory: Readonly<Record<string, unknown>>, facts?: Readonly<Record<string, string>>): Promise<void>;
  /** The key that must be allowed to log in, and the host key that the machine must prove itself with. */
  readonly keys: { readonly identity: SshKeyPair; readonly host: SshKeyPair };
  /** Files of the machine image, verified; null for drivers with a system of their own, and in `preCreateCheck`: it is made after that. */
  readonly image: BootImage | null;
}

/** The system that a machine boots: paths of files that may be replaced between two starts, never during one. */
export interface BootImage {
  readonly kernel: string;
  readonly initrd: string;
  /** Raw image of the read-only system disk. */
  readonly systemDisk: string;
  /**
   * Raw image of a disk that EFI firmware (secure boot off) boots by itself, for hypervisors without direct boot of a kernel; whole mebibytes, the
   * same for all machines, made in the cache when it is first asked for. To be attached as it is or copied, never written to. The machine finds
   * its data disk and its seed by what is on them, on whatever bus. Throws `image-unavailable`, `no-space`.
   */
  readonly bootableDisk: (run: DriverRun) => Promise<string>;
  readonly commandLine: string;
}

/** What a call that may take long is given. */
export interface DriverRun {
  /** Tells people how far it is; `detail` is one short line. */
  readonly tell: (progress: { readonly fraction?: number; readonly detail?: string }) => void;
  readonly signal: AbortSignal;
}

export interface StopRun extends DriverRun {
  /** How long the machine may take to go down by itself before it is ended. */
  readonly graceMs: number;
  /**
   * Shuts the machine down from inside, for drivers without a power button, or whose button is not heard. On a host that is
   * not ours only the engine and its containers end.
   */
  readonly powerOff: (signal: AbortSignal) => Promise<void>;
}

export interface Driver {
  /** As in `--driver NAME`: lower case, stable for ever. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly capabilities: DriverCapabilities;
  readonly settings: DriverSettings;

  /**
   * Null when this computer can use it; else the reason and what to do about it. MUST NOT touch the network or change
   * anything, and MUST answer within a second.
   */
  availability(): Promise<string | null>;
  /** Whether a machine like this can be made now: program, space, quota, login. MUST leave nothing behind. */
  preCreateCheck(machine: DriverMachine, run: DriverRun): Promise<void>;

  create(machine: DriverMachine, run: DriverRun): Promise<void>;
  /**
   * Brings it up until it can be reached. Settings that changed since the last start take effect. Nothing when it runs already;
   * a paused one goes on, a suspended one goes on where it was.
   * A boot that hangs is ended and tried again within a budget of the driver; the last console lines are in the error.
   */
  start(machine: DriverMachine, run: DriverRun): Promise<void>;
  /** The machine's own shutdown first, then force. Nothing when it is stopped already. */
  stop(machine: DriverMachine, run: StopRun): Promise<void>;
  /** As a power cut. Nothing when it is stopped already. */
  kill(machine: DriverMachine, run: DriverRun): Promise<void>;
  /** In whatever state it is; MUST succeed when it is gone already. The folder itself is removed by the caller. */
  remove(machine: DriverMachine, run: DriverRun): Promise<void>;

  /** MUST be cheap (lists ask it for every machine) and MUST NOT change anything, except to forget what a crash left. */
  state(machine: DriverStateQuery): Promise<DriverState>;
  /** Null when it does not run. As cheap as `state`. */
  access(machine: DriverStateQuery): Promise<Access | null>;

  /** For an existing system: how it is made fit for the engine, and where the engine lies in it. */
  readonly host?: HostRole;
  readonly pause?: PauseRole;
  readonly suspend?: SuspendRole;
  readonly resize?: ResizeRole;
  readonly snapshots?: SnapshotRole;
  readonly copies?: CopyRole;
  readonly tagged?: TaggedRole;
}

/** The part of a machine that can be had without its lock. */
export type DriverStateQuery = Pick<DriverMachine, 'name' | 'paths' | 'memory' | 'settings'>;

export interface HostRole {
  place(machine: DriverStateQuery): HostPlace;
  /** How commands get the rights of root: the user has them, or by sudo, with a password where it asks for one. */
  rights(machine: DriverMachine): RootRights;
  /** Whether an engine there that belongs to another machine is taken over. */
  takesOver(machine: DriverStateQuery): boolean;
}

export type RootRights = { readonly kind: 'root' } | { readonly kind: 'sudo'; readonly password: string | null };

export interface PauseRole {
  /** Its processors stand still, its memory stays. Nothing when it is paused already. */
  pause(machine: DriverMachine, run: DriverRun): Promise<void>;
  resume(machine: DriverMachine, run: DriverRun): Promise<void>;
}

export interface SuspendRole {
  /** Writes its memory to disk and ends it. A suspension that is cut off leaves it running, or stopped as by a power cut. */
  suspend(machine: DriverMachine, run: DriverRun): Promise<void>;
}

export interface ResizeRole {
  /** Makes a running machine what its settings say now, as far as that goes without a restart; the keys that wait for the next start. */
  resize(machine: DriverMachine, run: DriverRun): Promise<readonly string[]>;
}

/** Snapshots of a stopped machine's disk. */
export interface SnapshotRole {
  list(machine: DriverStateQuery): Promise<readonly MachineSnapshot[]>;
  take(machine: DriverMachine, name: string, run: DriverRun): Promise<void>;
  /** The disk becomes what it was; what came since is lost. */
  restore(machine: DriverMachine, name: string, run: DriverRun): Promise<void>;
  remove(machine: DriverMachine, name: string, run: DriverRun): Promise<void>;
}

/** The disk of a stopped machine as a raw image, for clone, export and import. */
export interface CopyRole {
  /** Writes the disk as a (sparse) raw image to `file`. */
  writeDisk(machine: DriverMachine, file: string, run: DriverRun): Promise<void>;
  /** Takes `file`, a raw image that it may move away, as the disk of a machine that is being created. */
  takeDisk(machine: DriverMachine, file: string, run: DriverRun): Promise<void>;
}

/**
 * For drivers that make something outside of the machine's folder which can carry a tag: it is found by that alone, also when the
 * folder with the journal is lost. A tag MUST be there from the first moment: made with the thing, not set on it later.
 */
export interface TaggedRole {
  /** All that carries the owner's tag, of machines known and unknown. */
  find(owner: string, run: DriverRun): Promise<readonly TaggedResource[]>;
}

/** Something that a driver made for a machine of this installation. */
export interface TaggedResource {
  readonly machineId: string;
  /** For people: `VirtualBox machine "skiff-web-0123abcd"`. */
  readonly title: string;
  /** What it goes on costing, for people: `1.2 GiB of disk`; null: nothing. */
  readonly cost: string | null;
  /** Ends it where it runs; MUST succeed when it is gone already. */
  remove(run: DriverRun): Promise<void>;
}

export function abilitiesOf(driver: Driver): readonly Ability[] {
  const has: readonly (readonly [Ability, boolean])[] = [
    ['pause', driver.pause !== undefined],
    ['suspend', driver.suspend !== undefined],
    ['resize', driver.resize !== undefined],
    ['snapshots', driver.snapshots !== undefined],
    ['copies', driver.copies !== undefined],
    ['file-sharing', driver.settings.fields.some(({ key }) => key === 'shares')],
  ];
  return has.flatMap(([ability, isThere]) => (isThere ? [ability] : []));
}
