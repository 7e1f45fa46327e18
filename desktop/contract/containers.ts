import { z } from './zod.ts';
import { listUpdate } from './list-updates.ts';
import { machineName } from './machines.ts';
import { method, stream } from './shape.ts';

const containerState = z.enum(['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead']);
export type ContainerState = z.infer<typeof containerState>;

export const protocol = z.enum(['tcp', 'udp', 'sctp']);

const containerPort = z.object({
  containerPort: z.number(),
  protocol,
  /** Null where the port is exposed and not published. */
  published: z.object({ ip: z.string(), port: z.number() }).nullable(),
  /** Where this computer reaches it now, `localhost:8080`; null while it is not forwarded. */
  localAddress: z.string().nullable(),
  /** Why a published port is not reachable: `port 8080 is in use on this computer`. */
  forwardError: z.string().nullable(),
});
export type ContainerPort = z.infer<typeof containerPort>;

/** One row of the list. Times are Unix milliseconds; how long ago that is, the page works out as time goes on. */
const container = z.object({
  machine: z.string(),
  /** 64 hex digits. */
  id: z.string(),
  /** Without the leading slash. */
  name: z.string(),
  /** As it was asked for: `nginx:1.27`. */
  image: z.string(),
  imageId: z.string(),
  /** As one line, for people. */
  command: z.string(),
  state: containerState,
  createdAt: z.number(),
  /** Null: never, or not known yet (it follows the first list within moments). */
  startedAt: z.number().nullable(),
  finishedAt: z.number().nullable(),
  /** Of the last run; null while it runs, has never run, or is not known yet. */
  exitCode: z.number().nullable(),
  /** Why it could not be started, in the engine's words. */
  error: z.string().nullable(),
  ports: z.array(containerPort),
  labels: z.record(z.string(), z.string()),
});
export type Container = z.infer<typeof container>;

const containerKey = z.object({ machine: z.string(), id: z.string() });
export type ContainerKey = z.infer<typeof containerKey>;

const containerDetails = z.object({
  container,
  /** Program and arguments as they run. */
  argv: z.array(z.string()),
  workingDir: z.string(),
  /** Empty: root. */
  user: z.string(),
  isTty: z.boolean(),
  env: z.array(z.object({ name: z.string(), value: z.string() })),
  mounts: z.array(
    z.object({
      type: z.string(),
      /** A path on the machine, or the volume's name. */
      source: z.string(),
      destination: z.string(),
      isReadOnly: z.boolean(),
    }),
  ),
  networks: z.array(z.object({ name: z.string(), ipAddress: z.string(), gateway: z.string(), macAddress: z.string() })),
  /** `no`, `always`, `unless-stopped`, `on-failure`. */
  restartPolicy: z.string(),
  restartCount: z.number(),
  /** The engine's whole answer, for the raw view. */
  raw: z.record(z.string(), z.unknown()),
});
export type ContainerDetails = z.infer<typeof containerDetails>;

/** A full id, a prefix of one, or a name. */
const reference = z
  .string()
  .max(255)
  .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'must be a container id or name');
const one = { machine: machineName, id: reference };
const nothing = z.object({});

export const runRequest = z.strictObject({
  machine: machineName,
  image: z.string().trim().min(1, 'must name an image').max(512),
  /** Absent: the engine makes one up. */
  name: z
    .string()
    .regex(/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/, 'must start with a letter or digit, then letters, digits, _ . -')
    .max(255)
    .optional(),
  /** Empty: what the image says. */
  command: z.array(z.string()).max(1000).default([]),
  env: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[^=\0]+$/, 'must not be empty or hold ='),
        value: z.string().regex(/^[^\0]*$/, 'must not hold a zero byte'),
      }),
    )
    .max(1000)
    .default([]),
  ports: z
    .array(
      z.strictObject({
        containerPort: z.int().min(1).max(65535),
        /** Null: any free port. */
        hostPort: z.int().min(1).max(65535).nullable().default(null),
        protocol: protocol.default('tcp'),
      }),
    )
    .max(1000)
    .default([]),
  isTty: z.boolean().default(false),
  removeWhenDone: z.boolean().default(false),
});
export type RunRequest = z.input<typeof runRequest>;

const engineErrors = ['no-such-machine', 'not-running', 'engine-unreachable', 'engine-refused'] as const;
const containerErrors = [...engineErrors, 'no-such-container', 'conflict'] as const;
const started = z.object({ id: z.string(), name: z.string(), warnings: z.array(z.string()) });

/** Doing what is already so (stopping a stopped container) succeeds, as with docker. */
export const containers = {
  /** All containers of all running machines. Keyed by machine and id. Driven by the engines' events; nothing polls. */
  watch: stream({ input: z.strictObject({}), item: listUpdate(container, containerKey) }),
  inspect: method({ input: z.strictObject(one), output: containerDetails, errors: containerErrors }),
  start: method({ input: z.strictObject(one), output: nothing, errors: containerErrors }),
  /** The container is given `graceSeconds` (default: its own setting, else 10) to end by itself. */
  stop: method({
    input: z.strictObject({ ...one, graceSeconds: z.int().min(0).max(86_400).optional() }),
    output: nothing,
    errors: containerErrors,
  }),
  restart: method({
    input: z.strictObject({ ...one, graceSeconds: z.int().min(0).max(86_400).optional() }),
    output: nothing,
    errors: containerErrors,
  }),
  kill: method({
    input: z.strictObject({
      ...one,
      signal: z
        .string()
        .regex(/^[A-Z0-9+]{1,16}$/, 'must be a signal such as SIGTERM')
        .default('SIGKILL'),
    }),
    output: nothing,
    errors: containerErrors,
  }),
  /** `force` ends a running one first; `volumes` also removes its anonymous volumes. What it wrote is lost. */
  remove: method({
    input: z.strictObject({ ...one, force: z.boolean().default(false), volumes: z.boolean().default(false) }),
    output: nothing,
    errors: containerErrors,
  }),
  /** Creates and starts. When the start fails, the created container is removed again and the error says why. */
  run: method({ input: runRequest, output: started, errors: [...engineErrors, 'no-such-image', 'conflict'] }),
  /** Runs the image that comes with Skiff, loading it into the machine when it is not there. The container stays, so that its log can be read. */
  runHello: method({
    input: z.strictObject({ machine: machineName }),
    output: started,
    errors: [...engineErrors, 'no-such-image', 'conflict'],
  }),
};
