import { z } from './zod.ts';
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
  verb: z.enum(['create', 'start', 'ensure-running', 'stop', 'kill', 'remove']),
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

const machineSettings = z.strictObject({
  cpus: z.int().min(1).max(1024).optional(),
  memoryBytes: z
    .int()
    .min(64 * 1024 * 1024)
    .optional(),
  diskBytes: z
    .int()
    .min(1024 * 1024 * 1024)
    .optional(),
});

/** Fields that are null are not known yet: the machine is only being made. A host that is not ours has no settings. */
const machine = z.object({
  name: z.string(),
  driver: z.string().nullable(),
  state: machineState,
  /** Why the state is `unknown` or `…-failed`. */
  error: z.string().nullable(),
  settings: z.object({ cpus: z.number(), memoryBytes: z.number(), diskBytes: z.number() }).nullable(),
  /** RFC 3339. */
  createdAt: z.string().nullable(),
  /** What docker clients put into DOCKER_HOST. */
  dockerHost: z.string().nullable(),
  /** For `docker context use …`. */
  dockerContext: z.string().nullable(),
  engineVersion: z.string().nullable(),
  /** Found out by the driver, for people: accelerator, CPU model, boots that had to be repeated. */
  facts: z.record(z.string(), z.string()),
  operation: operation.nullable(),
});
export type Machine = z.infer<typeof machine>;

const driver = z.object({
  name: z.string(),
  title: z.string(),
  /** Null when it can be used here; else why not, and what to do about it. */
  unavailable: z.string().nullable(),
});

const named = z.strictObject({ name: machineName });
const wanted = z.strictObject({
  name: machineName,
  /** Absent: the best for this computer. */
  driver: z.string().optional(),
  settings: machineSettings.default({}),
});
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
  /** `name-taken` when it is complete already; repeating one that failed goes on where it stopped. */
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
  /** What the machine writes to its console, from the last `tailBytes` on, following across restarts. Pieces of text, cut anywhere. */
  serialLog: stream({
    input: z.strictObject({
      name: machineName,
      tailBytes: z
        .int()
        .min(0)
        .max(1024 * 1024)
        .default(64 * 1024),
      follow: z.boolean().default(true),
    }),
    item: z.object({ text: z.string() }),
    errors: ['no-such-machine'],
  }),
};
