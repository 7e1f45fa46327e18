import { z } from './zod.ts';
import { ability, driver, machineSettings } from './drivers.ts';
import { errorShape, type ErrorCode } from './errors.ts';
import { listUpdate } from './list-updates.ts';
import { method, stream } from './shape.ts';

export const machineName = z
  .string()
  .regex(
    /^[a-zA-Z0-9][a-zA-Z0-9.-]{0,62}$/,
    'must start with a letter or digit, then letters, digits, dots and dashes; at most 63',
  );

export const machineState = z.enum([
  'creating',
  'create-failed',
  'stopped',
  'starting',
  'running',
  'stopping',
  'paused',
  'suspended',
  'removing',
  'remove-failed',
  'unknown',
]);
export type MachineState = z.infer<typeof machineState>;

/** One step of an operation, as it stands now. Steps are listed in the order in which they begin. */
const step = z.object({
  /** Stable name within its operation: `build-image`, `boot`, `deploy-engine`. */
  step: z.string(),
  /** For people: `Starting the machine`. */
  title: z.string(),
  /** `waiting`: known to come, not begun. */
  state: z.enum(['waiting', 'running', 'done', 'skipped', 'failed']),
  /** 0 to 1; null while nobody can say how far it is. */
  fraction: z.number().min(0).max(1).nullable(),
  /** What happens just now: `41 of 126 MB`; why, when it failed. */
  detail: z.string().nullable(),
  /** From its beginning to the moment this was sent (or to its end); the page counts on while it is `running`. */
  elapsedMs: z.number().nonnegative(),
});
export type Step = z.infer<typeof step>;

/** What is being done to a machine, or was done last. Another process may do it too (`skiff machine start`): then there is no operation, only a state. */
const operation = z.object({
  id: z.string(),
  verb: z.enum([
    'create',
    'start',
    'ensure-running',
    'stop',
    'kill',
    'remove',
    'pause',
    'resume',
    'suspend',
    'resize',
    'share',
    'take-snapshot',
    'restore-snapshot',
    'remove-snapshot',
    'clone',
    'export',
    'import',
    'upgrade',
  ]),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  /** Unix milliseconds. */
  startedAt: z.number(),
  /** Like a step's. */
  elapsedMs: z.number().nonnegative(),
  steps: z.array(step),
  /** Set when `failed`. */
  error: errorShape.nullable(),
});
export type Operation = z.infer<typeof operation>;

/** Something that a driver made outside of this computer's folder for the machine. */
const resource = z.object({
  key: z.string(),
  /** For people: `EC2 instance`. */
  title: z.string(),
  /** `asked`: it was asked for and the answer never came; it may be there or not. */
  state: z.enum(['asked', 'made']),
  /** As its provider calls it; null while only asked for. */
  id: z.string().nullable(),
});
export type Resource = z.infer<typeof resource>;

const logSource = z.enum(['console', 'engine', 'agent']);
/** `console`: what the machine writes there. `engine`: of the engine, in the machine. `agent`: of the process on this computer that keeps the line to it. */
export type MachineLogSource = z.infer<typeof logSource>;

/** Fields that are null are not known yet: the machine is only being made. */
const machine = z.object({
  name: z.string(),
  driver: z.string().nullable(),
  state: machineState,
  /** Why the state is `unknown` or `…-failed`. */
  error: z.string().nullable(),
  /** Complete, without secrets. A host that is not ours has no sizes among them. */
  settings: machineSettings.nullable(),
  abilities: z.array(ability),
  /** RFC 3339. */
  createdAt: z.string().nullable(),
  /** What docker clients put into DOCKER_HOST. */
  dockerHost: z.string().nullable(),
  /** For `docker context use …`. */
  dockerContext: z.string().nullable(),
  engineVersion: z.string().nullable(),
  /** Where SSH reaches it: `root@192.0.2.7:22`; null while it does not run. */
  address: z.string().nullable(),
  /** The line that this computer keeps to it; null: nobody keeps one. */
  connection: z.object({ state: z.enum(['connecting', 'ready', 'lost']), error: z.string().nullable() }).nullable(),
  resources: z.array(resource),
  logs: z.array(logSource),
  /** Found out by the driver, for people: accelerator, CPU model, boots that had to be repeated. */
  facts: z.record(z.string(), z.string()),
  operation: operation.nullable(),
});
export type Machine = z.infer<typeof machine>;

const snapshot = z.object({
  name: z.string(),
  /** RFC 3339. */
  createdAt: z.string(),
  /** What it takes of this computer's disk; null where the driver cannot tell. */
  sizeBytes: z.number().nullable(),
});
export type Snapshot = z.infer<typeof snapshot>;

const finding = z.object({
  /** `Driver qemu`, `Machine web`. */
  about: z.string(),
  /** Null: this computer. */
  machine: z.string().nullable(),
  verdict: z.enum(['good', 'note', 'bad']),
  /** What is the case, and what to do about it. */
  says: z.string(),
});
export type Finding = z.infer<typeof finding>;

const leftover = z.object({
  /** For people, and the same again as long as it is there: `docker context "skiff-web"`. */
  title: z.string(),
  sizeBytes: z.number().nullable(),
  /** What it goes on costing; null: nothing but its place. */
  cost: z.string().nullable(),
});
export type Leftover = z.infer<typeof leftover>;

const usage = z.object({
  /** Of the disk that holds images, containers and volumes. */
  disk: z.object({ usedBytes: z.number(), totalBytes: z.number() }),
  memory: z.object({ usedBytes: z.number(), totalBytes: z.number() }),
  /** `Debian GNU/Linux 12`. */
  system: z.string(),
  kernel: z.string(),
});
export type Usage = z.infer<typeof usage>;

const named = z.strictObject({ name: machineName });
const wanted = z.strictObject({
  name: machineName,
  /** Absent: the best for this computer. */
  driver: z.string().optional(),
  settings: machineSettings.default({}),
  /** Those of its secrets that are needed later are kept in this computer's keychain, else in a file of its user's; else nothing is. */
  keepsSecrets: z.boolean().default(false),
});
/** On the computer that the core runs on; `~/` is the user's home there. */
export const filePath = z
  .string()
  .max(4096)
  .regex(/^(~?[/\\]|[A-Za-z]:[/\\])/, 'must be a whole path: /home/me/machine.skiff, or one that begins with ~/');
/** A snapshot's name has the rules of a machine's. */
const ofSnapshot = z.strictObject({ name: machineName, snapshot: machineName });
const nothing = z.object({});

/** Whatever is done to a machine may find it in any state and need any part of it, so all of its methods share one list. */
const machineErrors: readonly ErrorCode[] = [
  'no-such-machine',
  'name-taken',
  'invalid-name',
  'invalid-setting',
  'no-such-driver',
  'driver-unavailable',
  'already-running',
  'already-stopped',
  'not-running',
  'not-supported',
  'no-such-snapshot',
  'login-refused',
  'host-key',
  'quota',
  'busy',
  'no-space',
  'image-unavailable',
  'image-corrupt',
  'boot-failed',
  'ssh-failed',
  'deploy-failed',
  'aborted',
];

/**
 * Methods that change a machine answer when it is done, which may take minutes: call them with `timeoutMs: null` and
 * show `operation` from `watch`, which is also there for a page that was opened later. The work goes on when the caller
 * goes away; only `cancel` stops it (`aborted`). Another operation on the same machine meanwhile is `busy`.
 */
export const machines = {
  drivers: method({ input: z.strictObject({}), output: z.object({ drivers: z.array(driver) }), errors: machineErrors }),
  /** Keyed by `name`. */
  watch: stream({ input: z.strictObject({}), item: listUpdate(machine, z.string()), errors: machineErrors }),
  /**
   * `name-taken` when it is complete already; repeating one that failed goes on where it stopped, with what was asked for then
   * where nothing is asked for now. One that fails before anything is there leaves no row: the caller alone is told.
   */
  create: method({ input: wanted, output: nothing, errors: machineErrors }),
  /** Whatever it takes to have the machine running: create, resume a create that failed, start, or nothing. First run and "Try again" use it. Joins one that is under way. */
  ensureRunning: method({ input: wanted, output: nothing, errors: machineErrors }),
  start: method({ input: named, output: nothing, errors: machineErrors }),
  stop: method({ input: named, output: nothing, errors: machineErrors }),
  /** As a power cut. */
  kill: method({ input: named, output: nothing, errors: machineErrors }),
  /** Its data disk goes with it: every container, image and volume. */
  remove: method({ input: named, output: nothing, errors: machineErrors }),
  /** Stops the operation under way at its next safe point; `not-running` when there is none. */
  cancel: method({ input: named, output: nothing, errors: ['not-running'] }),
  pause: method({ input: named, output: nothing, errors: machineErrors }),
  /** A paused one goes on where it was. */
  resume: method({ input: named, output: nothing, errors: machineErrors }),
  /** Its memory is written to disk and nothing of it runs; `start` goes on where it was. */
  suspend: method({ input: named, output: nothing, errors: machineErrors }),
  /** Brings the engine of this Skiff into it; containers go on. A stopped one is started. */
  upgrade: method({ input: named, output: nothing, errors: machineErrors }),
  /** Gives it other settings; a disk only grows. `waiting`: keys that count from its next start on. */
  resize: method({
    input: z.strictObject({ name: machineName, settings: machineSettings }),
    output: z.object({ waiting: z.array(z.string()) }),
    errors: machineErrors,
  }),
  /**
   * Changes which folders of this computer its containers may bind, also while it runs. `add`: `HOST[:MACHINE][:ro]`, with a whole path;
   * `remove`: as they are listed, or either path.
   */
  share: method({
    input: z.strictObject({ name: machineName, add: z.array(filePath), remove: z.array(z.string()) }),
    output: nothing,
    errors: machineErrors,
  }),
  /** Of its disk, oldest first. */
  snapshots: method({ input: named, output: z.object({ snapshots: z.array(snapshot) }), errors: machineErrors }),
  /** Taking and restoring want it stopped. */
  takeSnapshot: method({ input: ofSnapshot, output: nothing, errors: machineErrors }),
  /** Its disk becomes what it was then; what came since is lost. */
  restoreSnapshot: method({ input: ofSnapshot, output: nothing, errors: machineErrors }),
  removeSnapshot: method({ input: ofSnapshot, output: nothing, errors: machineErrors }),
  /** A second machine with the same disk; both stopped. */
  clone: method({
    input: z.strictObject({ name: machineName, copy: machineName }),
    output: nothing,
    errors: machineErrors,
  }),
  /** Writes a stopped machine, with all that is in it and without its keys, to one new file. `file`: its whole path. */
  export: method({
    input: z.strictObject({ name: machineName, file: filePath }),
    output: z.object({ file: z.string() }),
    errors: machineErrors,
  }),
  /** Makes a stopped machine of such a file. */
  import: method({
    input: z.strictObject({ name: machineName, file: filePath }),
    output: nothing,
    errors: machineErrors,
  }),
  /** What a running machine uses, as it is now: its engine and its system are asked. */
  usage: method({ input: named, output: usage, errors: [...machineErrors, 'engine-unreachable', 'engine-refused'] }),
  /** This computer and each machine, looked at for what would hinder; changes nothing. */
  examine: method({
    input: z.strictObject({}),
    output: z.object({ findings: z.array(finding) }),
    errors: machineErrors,
  }),
  /** What machines that are gone left on this computer. */
  leftovers: method({
    input: z.strictObject({}),
    output: z.object({ leftovers: z.array(leftover) }),
    errors: machineErrors,
  }),
  /** Removes those, by their titles, that are still there. `failed`: which of them could not be, and why. */
  removeLeftovers: method({
    input: z.strictObject({ titles: z.array(z.string()).min(1) }),
    output: z.object({ failed: z.array(z.object({ title: z.string(), error: errorShape })) }),
    errors: machineErrors,
  }),
  /**
   * The end of a log, then what is added to it. Pieces of text, cut anywhere. The console goes on across restarts; the
   * engine's ends with the machine (`not-running` when it does not run).
   */
  log: stream({
    input: z.strictObject({
      name: machineName,
      source: logSource,
      tailBytes: z
        .int()
        .min(0)
        .max(1024 * 1024)
        .default(64 * 1024),
      follow: z.boolean().default(true),
    }),
    item: z.object({ text: z.string() }),
    errors: machineErrors,
  }),
};
