/**
 * The contract between machines and those who use them (CLI, desktop, `npm start`). A **machine** is a Linux VM or host
 * that runs a Skiff engine. It is described by one JSON document in a folder of its own; a **driver** knows how to make
 * and run its kind; a **host agent**, one small process a machine on this computer, lives as long as the machine runs:
 * it holds the one SSH connection, and through it serves a local unix socket that speaks the Docker API and forwards
 * published ports to localhost. So every client on this computer talks to a plain local socket, and nobody else needs SSH.
 *
 * Lifecycle, as `MachineState`:
 *
 *     (nothing) -- create --> creating --> running <--> stopping / starting <--> stopped -- remove --> removing --> (nothing)
 *                                |                                                                        |
 *                                +--> create-failed (create again resumes, remove cleans up)              +--> remove-failed (remove again)
 *
 * Worked example:
 *
 *     const machines = openMachines({ home, cacheDir });
 *     const operation = { report: console.log, signal: AbortSignal.timeout(600_000) };
 *     await machines.create({ name: 'default', driver: 'qemu', settings: {} }, operation); // made, engine deployed, agent up
 *     const { dockerSocket } = await machines.inspect('default');
 *     const engine = new EngineClient(unixSocketDialer(dockerSocket));
 *
 * Every method throws MachineError with a `code`; messages are for people and name what to do next. Methods that change a
 * machine hold its OS lock: a second process gets `busy` naming the holder, at once, never a wait without end.
 */
import type { OutsideResource } from './drivers/resources.ts';
import type { Operation } from './progress.ts';
import type { SettingField, SettingValue } from './settings/setting.ts';

export type MachineState =
  | 'creating'
  | 'create-failed'
  | 'stopped'
  | 'starting'
  | 'running'
  | 'stopping'
  /** Its processors stand still, its memory is kept; `resume` goes on. */
  | 'paused'
  /** Its memory is written to disk and nothing of it runs; `start` goes on where it was. */
  | 'suspended'
  | 'removing'
  | 'remove-failed'
  /** The driver cannot tell: its program is missing, or its answer made no sense. `error` says why. */
  | 'unknown';

export type MachineErrorCode =
  | 'no-such-machine'
  | 'name-taken'
  | 'invalid-name'
  | 'invalid-setting'
  | 'no-such-driver'
  | 'driver-unavailable'
  | 'already-running'
  | 'already-stopped'
  | 'not-running'
  | 'not-supported'
  | 'no-such-snapshot'
  | 'login-refused'
  | 'host-key'
  | 'quota'
  | 'busy'
  | 'no-space'
  | 'image-unavailable'
  | 'image-corrupt'
  | 'boot-failed'
  | 'ssh-failed'
  | 'deploy-failed'
  | 'timeout'
  | 'aborted'
  | 'internal';

export class MachineError extends Error {
  override readonly name = 'MachineError';
  readonly code: MachineErrorCode;

  constructor(code: MachineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * What a machine is given, by the keys of its driver's settings (`DriverInfo.settings`); those that many drivers have are
 * named here. A driver refuses a key that it does not have with `invalid-setting`.
 */
export interface MachineSettings {
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly diskBytes?: number;
  readonly [ofDriver: string]: SettingValue | undefined;
}

export interface CreateMachine {
  /** `[a-zA-Z0-9][a-zA-Z0-9.-]*`, at most 63 characters. */
  readonly name: string;
  /** Absent: the best driver for this computer. */
  readonly driver?: string;
  readonly settings: MachineSettings;
  /**
   * The secrets that later operations need are kept: in the keychain of this computer, else in a file that its user alone may read.
   * Else nothing is kept, and each operation is given them anew by the environment.
   */
  readonly keepsSecrets?: boolean;
}

export interface Machine {
  readonly name: string;
  readonly driver: string;
  readonly state: MachineState;
  /** Why the state is `unknown` or `…-failed`; null otherwise. */
  readonly error: string | null;
  /** Complete, without secrets. A host that is not ours has no sizes here. */
  readonly settings: MachineSettings;
  /** What can be asked of it; the verbs of the others answer `not-supported`. */
  readonly abilities: readonly Ability[];
  /** RFC 3339. */
  readonly createdAt: string;
  /** Where a docker client on this computer reaches the engine: `unix:///…/docker.sock` (a named pipe on Windows). Served while the machine runs. */
  readonly dockerHost: string;
  /** The same as a path for `net.connect`. */
  readonly dockerSocket: string;
  /** Name of the docker context that points there, or null when docker's configuration could not be written. */
  readonly dockerContext: string | null;
  /** How SSH reaches it; null while it does not run, for the port may be another at the next start. */
  readonly ssh: {
    readonly host: string;
    readonly port: number;
    readonly user: string;
    readonly identityFile: string;
    readonly knownHostsFile: string;
  } | null;
  /** Version of the deployed engine; null before the first deployment. */
  readonly engineVersion: string | null;
  /** What its driver made outside of this computer's folder for it, and what it may have made: `asked` when an answer never came. */
  readonly resources: readonly OutsideResource[];
  /** What the driver found out and remembered, for people: accelerator, CPU model, number of boots that had to be repeated. */
  readonly facts: Readonly<Record<string, string>>;
  /** File with what the machine wrote to its console, newest last; null where the driver has none. May not exist yet. */
  readonly serialLogFile: string | null;
  /** What its host agent noted, on this computer. May not exist yet. */
  readonly agentLogFile: string;
  /** What its engine noted, in the machine. */
  readonly engineLogFile: string;
  /** The host agent as it last told; null when none runs. `watch` tells of its changes too. */
  readonly agent: HostAgentState | null;
}

export interface HostAgentState {
  /** How its SSH connection stands. */
  readonly connection: 'connecting' | 'ready' | 'lost';
  /** Why it is not ready. */
  readonly error: string | null;
  readonly forwards: readonly PortForward[];
}

/** One published port of a container, brought to this computer. */
export interface PortForward {
  readonly containerId: string;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Where it listens, or should listen, on this computer; for 127.0.0.1 at ::1 too, where there is IPv6. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly state: 'open' | 'failed';
  /**
   * Why it is not open and what to do about it: the port is in use (and by whom), SCTP is not forwarded. An open one has an error when
   * somebody else listens at the same port of ::1.
   */
  readonly error: string | null;
}

/** What only some drivers can do; CLI and desktop ask before they offer it. */
export const abilities = ['pause', 'suspend', 'resize', 'snapshots', 'copies', 'file-sharing'] as const;
export type Ability = (typeof abilities)[number];

/** A driver as a person chooses it. */
export interface DriverInfo {
  readonly name: string;
  readonly title: string;
  /** Null when it can be used on this computer; else the reason and what to do about it. */
  readonly unavailable: string | null;
  /** Whether it may be chosen where the user names no driver. */
  readonly isAutomatic: boolean;
  readonly abilities: readonly Ability[];
  /** Of which flags and forms are made. */
  readonly settings: readonly SettingField[];
}

export interface MachineSnapshot {
  readonly name: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** What it takes of this computer's disk; null where the driver cannot tell. */
  readonly sizeBytes: number | null;
}

export interface SnapshotChange {
  readonly verb: 'take' | 'restore' | 'remove';
  readonly snapshot: string;
}

/** `HOST[:MACHINE][:ro|rw]` each; one that is removed is named by either path, and must be shared. */
export interface ShareChange {
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

export interface Resized {
  readonly machine: Machine;
  readonly waiting: readonly string[];
}

export interface Finding {
  /** `Driver qemu`, `Machine web`. */
  readonly about: string;
  /** The machine that it is about; null: this computer. */
  readonly machine: string | null;
  readonly verdict: 'good' | 'note' | 'bad';
  /** What is the case, and what to do about it. */
  readonly says: string;
}

/** Something of a machine that is no more. */
export interface Leftover {
  /** For people: `docker context "skiff-web"`. */
  readonly title: string;
  /** What it takes of this computer's disk; null: nothing, or nobody knows. */
  readonly sizeBytes: number | null;
  /** What it goes on costing, for people; null: nothing but its place. */
  readonly cost: string | null;
  remove(): Promise<void>;
}

export interface Machines {
  drivers(): Promise<readonly DriverInfo[]>;
  /**
   * Sorted by name, natural order. Never fails because of one broken machine: that one has state `unknown`, as has one that cannot be
   * reached within `patienceMs` (default: 200 ms for hosts elsewhere, 10 s for programs of this computer).
   */
  list(options?: { readonly patienceMs?: number }): Promise<readonly Machine[]>;
  inspect(name: string): Promise<Machine>;
  /**
   * Image, VM, SSH key, first boot, engine, host agent, docker context. Repeating it after a failure or a crash goes on
   * where it stopped; a machine that is already complete gives `name-taken`.
   */
  create(request: CreateMachine, operation: Operation): Promise<Machine>;
  /** Boots a stopped machine, deploys a newer engine where this computer has one, brings the host agent up. `already-running` when it runs with its agent. */
  start(name: string, operation: Operation): Promise<Machine>;
  /** Whatever it takes to have it running and its engine answering: create, start, restart of a dead host agent, or nothing. Quick when there is nothing to do. */
  ensureRunning(request: CreateMachine, operation: Operation): Promise<Machine>;
  /** Guest powerdown first; after `graceMs` (default 30 s) the driver ends it. */
  stop(name: string, operation: Operation, options?: { readonly graceMs?: number }): Promise<Machine>;
  /** Ends it at once, as a power cut does. */
  kill(name: string, operation: Operation): Promise<Machine>;
  /** Its processors stand still; its engine answers nobody meanwhile. `not-supported` where the driver cannot. */
  pause(name: string, operation: Operation): Promise<Machine>;
  /** A paused one goes on where it was. */
  resume(name: string, operation: Operation): Promise<Machine>;
  /** Writes its memory to disk and ends it; `start` goes on where it was, containers and all. */
  suspend(name: string, operation: Operation): Promise<Machine>;
  /**
   * Changes which folders of this computer its containers may bind: also while it runs, at once. `not-supported` for an engine on this
   * computer itself, which has them all.
   */
  share(name: string, change: ShareChange, operation: Operation): Promise<Machine>;
  /** Gives it other settings; a disk only grows. `waiting`: keys that a running machine takes at its next start. */
  resize(name: string, settings: MachineSettings, operation: Operation): Promise<Resized>;
  /** Of a machine's disk, oldest first. `take` and `restore` want it stopped. */
  snapshots(name: string): Promise<readonly MachineSnapshot[]>;
  changeSnapshot(name: string, change: SnapshotChange, operation: Operation): Promise<void>;
  /** A second machine with the same disk; both stopped. */
  clone(name: string, copy: string, operation: Operation): Promise<Machine>;
  /** Writes a stopped machine, with all that is in it and without its keys, to one file. */
  export(name: string, file: string, operation: Operation): Promise<void>;
  /** Makes a stopped machine of such a file. */
  import(name: string, file: string, operation: Operation): Promise<Machine>;
  /**
   * Brings the engine of this Skiff into it (a stopped one is started). `thorough`: also where it is there already, and a host that
   * is not ours is made fit again.
   */
  upgrade(name: string, operation: Operation, options?: { readonly isThorough?: boolean }): Promise<Machine>;
  /** A new SSH key for a machine that runs, in place of the one that this computer logs in with. Connections that are open go on. */
  renewKeys(name: string, operation: Operation): Promise<Machine>;
  /** What earlier machines left on this computer: their folders are gone, something of them is not. */
  leftovers(): Promise<readonly Leftover[]>;
  /** What machines need on this computer, and each machine, looked at; for people. */
  examine(): Promise<readonly Finding[]>;
  /**
   * Everything that was made for it goes, in whatever state it is; its data disk with it. Forced: what is known of it here goes
   * even when its driver cannot remove the rest, which the error then says.
   */
  remove(name: string, operation: Operation, options?: { readonly isForced?: boolean }): Promise<void>;
  /** Address at which this computer reaches the machine. */
  ip(name: string): Promise<string>;
  /** Calls `listener` when any machine changed (also by another process); dispose to stop. */
  watch(listener: () => void): Disposable;
  /** Runs a command in the machine over SSH; stdio streams stay separate; the promise resolves with the remote exit code. */
  run(name: string, command: RemoteCommand): Promise<{ readonly exitCode: number; readonly signal: string | null }>;
}

export interface RemoteCommand {
  /** Null opens a login shell. */
  readonly command: string | null;
  readonly stdin: NodeJS.ReadableStream | null;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
  /** A terminal is made in the machine when given. */
  readonly terminal: { readonly columns: number; readonly rows: number; readonly type: string } | null;
  readonly signal: AbortSignal;
}
