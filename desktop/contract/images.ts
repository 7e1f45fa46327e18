import { z } from './zod.ts';
import { errorShape } from './errors.ts';
import { listUpdate } from './list-updates.ts';
import { machineName } from './machines.ts';
import { method, stream } from './shape.ts';

/** One row of the list. Who uses an image, the page reads off the containers. */
const image = z.object({
  machine: z.string(),
  /** `sha256:` and 64 hex digits. */
  id: z.string(),
  /** `nginx:1.27`; empty for an image without a name. */
  names: z.array(z.string()),
  /** `nginx@sha256:…`: as registries know it. */
  digests: z.array(z.string()),
  /** Unix milliseconds; null where the image does not say. */
  createdAt: z.number().nullable(),
  /** Of the files of all its layers. */
  sizeBytes: z.number(),
});
export type Image = z.infer<typeof image>;

const imageKey = z.object({ machine: z.string(), id: z.string() });
export type ImageKey = z.infer<typeof imageKey>;

/** One layer that is being fetched, in the engine's order. */
const pullLayer = z.object({
  /** The beginning of its digest. */
  id: z.string(),
  /** In the engine's words: `Downloading`, `Extracting`, `Pull complete`. */
  status: z.string(),
  doneBytes: z.number().nullable(),
  totalBytes: z.number().nullable(),
});
export type PullLayer = z.infer<typeof pullLayer>;

/** An image that is being fetched, or was fetched last. */
const pull = z.object({
  id: z.string(),
  machine: z.string(),
  /** As it was asked for. */
  reference: z.string(),
  state: z.enum(['running', 'done', 'failed', 'cancelled']),
  /** What the engine said last that is of no layer: `Status: Downloaded newer image for nginx:1.27`. */
  status: z.string().nullable(),
  layers: z.array(pullLayer),
  /** 0 to 1; null while no layer is known. */
  fraction: z.number().min(0).max(1).nullable(),
  /** Unix milliseconds. */
  startedAt: z.number(),
  error: errorShape.nullable(),
});
export type Pull = z.infer<typeof pull>;

const tally = z.object({ entries: z.number(), bytes: z.number() });

const layer = z.object({
  /** 0 is the bottom. */
  index: z.number(),
  /** Digest of its tar. */
  diffId: z.string(),
  sizeBytes: z.number(),
  /** The step of the image's history that made it; null where the history does not tell. */
  instruction: z.string().nullable(),
  createdAt: z.string().nullable(),
  added: tally,
  changed: tally,
  removed: tally,
  /** Of this layer, that nobody sees any more: later layers have replaced or removed it. */
  wastedBytes: z.number(),
});
export type Layer = z.infer<typeof layer>;

/** One line of a tree. */
const file = z.object({
  /** For people: bytes that are no UTF-8 are shown as U+FFFD. */
  name: z.string(),
  /** What asks for it: percent-encoded bytes. */
  path: z.string(),
  kind: z.enum(['file', 'directory', 'symlink', 'character-device', 'block-device', 'fifo']),
  /** With everything below. */
  totalBytes: z.number(),
  totalFiles: z.number(),
  mode: z.number(),
  userId: z.number(),
  groupId: z.number(),
  modifiedAt: z.string(),
  linkTarget: z.string().nullable(),
  /** Index of the layer that it comes from. */
  layer: z.number(),
  change: z.enum(['added', 'changed', 'removed']).nullable(),
  hasChangesBelow: z.boolean(),
});
export type TreeFile = z.infer<typeof file>;

/** A name, an id or the beginning of one. */
const reference = z.string().trim().min(1, 'must name an image').max(512);
const one = { machine: machineName, image: reference };
const nothing = z.object({});

const engineErrors = ['no-such-machine', 'not-running', 'engine-unreachable', 'engine-refused'] as const;
const imageErrors = [...engineErrors, 'no-such-image', 'conflict'] as const;

export const images = {
  /** All images of all running machines. Driven by the engines' events; nothing polls. */
  watch: stream({ input: z.strictObject({}), item: listUpdate(image, imageKey) }),
  /** Pulls that run, and the last few that ended. Keyed by `id`. */
  pulls: stream({ input: z.strictObject({}), item: listUpdate(pull, z.string()) }),
  /** Begins; how it goes is told by `pulls`. The same image twice is one pull. */
  pull: method({ input: z.strictObject(one), output: z.object({ id: z.string() }), errors: engineErrors }),
  /** What was fetched so far is kept for the next try. */
  cancelPull: method({ input: z.strictObject({ id: z.string() }), output: nothing }),
  /** Takes a name away, and the image with its last one. With an id: all of its names. */
  remove: method({
    input: z.strictObject({ ...one, force: z.boolean().default(false) }),
    output: nothing,
    errors: imageErrors,
  }),
  tag: method({ input: z.strictObject({ ...one, name: reference }), output: nothing, errors: imageErrors }),
  layers: method({
    input: z.strictObject(one),
    output: z.object({ wastedBytes: z.number(), layers: z.array(layer) }),
    errors: imageErrors,
  }),
  /** The files of one directory: of the whole image as it is after `layer` (null: the last), or of what that layer brought alone. */
  files: method({
    input: z.strictObject({
      ...one,
      /** Percent-encoded bytes; empty: the root. */
      path: z.string().max(16_384).default(''),
      layer: z.int().min(0).max(1024).nullable().default(null),
      view: z.enum(['merged', 'layer']).default('merged'),
      /** Of the page before. */
      after: z.string().max(16_384).nullable().default(null),
    }),
    output: z.object({ files: z.array(file), next: z.string().nullable() }),
    errors: imageErrors,
  }),
  /** Makes an image of one layer of it, under a name. */
  flatten: method({
    input: z.strictObject({ ...one, name: reference }),
    output: z.object({ id: z.string(), savedBytes: z.number() }),
    errors: imageErrors,
  }),
};
