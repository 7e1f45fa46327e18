/**
 * What a driver is: one module that makes machines of one kind and runs them. It knows nothing of SSH sessions, engines
 * or contexts; those are the same for every driver and stand in `machines/`.
 *
 * A machine's life as its driver sees it, and the calls that change it:
 *
 *     absent -- create --> stopped -- start --> running -- stop / kill --> stopped -- remove --> absent
 *
 * Worked example, as `machines/` does it:
 *
 *     const why = await driver.availability();                     // null: it can be used
 *     const settings = driver.resolveSettings({ cpus: 2 });
 *     await driver.preCreateCheck(machine, run);
 *     await driver.create(machine, run);                           // 'stopped'
 *     await driver.start(machine, run);                            // 'running', sshd listens at address()
 *     const { host, port } = await driver.address(machine);
 *     await driver.stop(machine, { ...run, graceMs: 30_000, powerOff });
 *     await driver.remove(machine, run);                           // 'absent'
 *
 * The caller holds the machine's lock during every call that changes it, so calls for one machine never overlap;
 * calls for different machines may. `state` and `address` are also asked by others while such a call is under way.
 *
 * Rules for every driver, proved by driver.suite.ts:
 * - Every call that changes something MUST be repeatable: done again after a crash at any point it MUST reach the same end.
 * - It MUST NOT leave anything outside `machine.paths` that `remove` does not find again. What it makes elsewhere (a cloud's
 *   server, a disk) it MUST note with `machine.remember` before or in the same step as making it, and tag with the name.
 * - Errors MUST be MachineError, and say what to do next. Aborting `signal` MUST end the call soon, with the signal's reason.
 * - It MUST keep secrets out of memory, facts and errors.
 */
import type { MachineSettings } from '../machines.ts';
import type { SshKeyPair } from '../ssh/keys.ts';
import type { MachinePaths } from '../store/home.ts';
import type { MachineName } from '../store/machine-name.ts';

export type DriverState = 'absent' | 'stopped' | 'running';

export interface DriverCapabilities {
  /** `skiff-image`: it boots Skiff's machine image, which it is then given. `existing-system`: it brings a system of its own. */
  readonly system: 'skiff-image' | 'existing-system';
  /** `local-port`: SSH is reached at a port of this computer that may change at each start. `own-address`: the machine has one. */
  readonly reach: 'local-port' | 'own-address';
  /** Whether the console's output lands in `paths.serialLog`. */
  readonly console: 'serial-log' | 'none';
  /** Which settings it honours; the others it refuses with `invalid-setting`. */
  readonly settings: readonly (keyof MachineSettings)[];
}

/** One machine as its driver is given it. */
export interface DriverMachine {
  readonly name: MachineName;
  readonly settings: Required<MachineSettings>;
  /** Folder and file names that are the machine's own; the folder exists, 0700. */
  readonly paths: MachinePaths;
  /** What this driver remembered last; empty for a new machine. Drivers check its shape when they read it. */
  readonly memory: Readonly<Record<string, unknown>>;
  /** Replaces memory and adds facts (for people); durable when it resolves. For the lock's holder alone. */
  remember(memory: Readonly<Record<string, unknown>>, facts?: Readonly<Record<string, string>>): Promise<void>;
  /** The key that must be allowed to log in as `root`, and the host key that the machine must prove itself with. */
  readonly keys: { readonly identity: SshKeyPair; readonly host: SshKeyPair };
  /** Files of the machine image, verified; null for drivers with a system of their own. */
  readonly image: BootImage | null;
}

/** The system that a machine boots: paths of files that may be replaced between two starts, never during one. */
export interface BootImage {
  readonly kernel: string;
  readonly initrd: string;
  /** Raw image of the read-only system disk. */
  readonly systemDisk: string;
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
  /** Runs `poweroff` in the machine over SSH: for drivers without a power button, or whose button is not heard. */
  readonly powerOff: (signal: AbortSignal) => Promise<void>;
}

export interface Driver {
  /** As in `--driver NAME`: lower case, stable for ever. */
  readonly name: string;
  /** For people. */
  readonly title: string;
  readonly capabilities: DriverCapabilities;

  /**
   * Null when this computer can use it; else the reason and what to do about it. MUST NOT touch the network or change
   * anything, and MUST answer within a second.
   */
  availability(): Promise<string | null>;
  /** Fills in what was not asked for, refuses what cannot be (`invalid-setting`). Pure but for looking at this computer. */
  resolveSettings(requested: MachineSettings): Required<MachineSettings>;
  /** Whether a machine like this can be made now: program, space, quota. MUST leave nothing behind. */
  preCreateCheck(machine: DriverMachine, run: DriverRun): Promise<void>;

  create(machine: DriverMachine, run: DriverRun): Promise<void>;
  /**
   * Brings it up until its sshd listens. Settings that grew since the last start take effect. Nothing when it runs already.
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
  /** Where its SSH is reached; null when it does not run. */
  address(machine: DriverStateQuery): Promise<{ readonly host: string; readonly port: number } | null>;
}

/** The part of a machine that can be had without its lock. */
export type DriverStateQuery = Pick<DriverMachine, 'name' | 'paths' | 'memory'>;
