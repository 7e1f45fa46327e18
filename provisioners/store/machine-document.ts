import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { OutsideResource } from '../drivers/resources.ts';
import type { MachineSettings } from '../machines.ts';
import { MachineError } from '../machines.ts';

/**
 * What is known about one machine, as it lies in machine.json. No secrets, no absolute paths: keys and disks are
 * files beside it with fixed names. Only the holder of the machine's lock writes it.
 */
export interface MachineDocument {
  readonly version: 2;
  /** Random; made with the machine. Outside resources are tagged with it. */
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** By the keys of its driver's settings; no secrets. */
  readonly settings: MachineSettings;
  readonly lifecycle: Lifecycle;
  /** Belongs to the driver: what it must know again next time. Only the driver reads it, and checks what it reads. */
  readonly driverMemory: Readonly<Record<string, unknown>>;
  /** For people; shown by `inspect`. */
  readonly facts: Readonly<Record<string, string>>;
  /** The journal of what its driver made outside of its folder (drivers/resources.ts). */
  readonly resources: readonly OutsideResource[];
  readonly engine: { readonly version: string; readonly digest: string } | null;
  readonly dockerContext: string | null;
}

/** `done` is the journal of the creation: a step stands in it when all it made is durable. */
export type Lifecycle =
  | { readonly phase: 'creating'; readonly done: readonly CreateStep[]; readonly error: string | null }
  | { readonly phase: 'ready' }
  | { readonly phase: 'removing'; readonly error: string | null };

export const createSteps = ['keys', 'image', 'driver', 'boot', 'deploy', 'agent', 'context'] as const;
export type CreateStep = (typeof createSteps)[number];

export const documentVersion = 2;

/** Turns a document of version N (its index) into one of version N + 1. A published entry is never changed again. */
export type Migration = (document: Record<string, unknown>) => Record<string, unknown>;

/** Index 0 is unused: version 1 was the first to be written. */
export const migrations: readonly Migration[] = [
  (document) => document,
  // The id must be the same at each reading until the document is written again.
  (document) => ({ ...document, id: idOf(document['name'], document['createdAt']), resources: [] }),
];

function idOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

const lifecycle = z.discriminatedUnion('phase', [
  z.strictObject({
    phase: z.literal('creating'),
    done: z.array(z.enum(createSteps)).readonly(),
    error: z.string().nullable(),
  }),
  z.strictObject({ phase: z.literal('ready') }),
  z.strictObject({ phase: z.literal('removing'), error: z.string().nullable() }),
]);

const schema = z.strictObject({
  version: z.literal(documentVersion),
  id: z.string().regex(/^[0-9a-f]{32}$/),
  name: z.string(),
  driver: z.string(),
  createdAt: z.iso.datetime(),
  settings: z
    .object({
      cpus: z.int().positive().optional(),
      memoryBytes: z.int().positive().optional(),
      diskBytes: z.int().positive().optional(),
    })
    .catchall(z.union([z.string(), z.number(), z.boolean(), z.array(z.string()).readonly()])),
  lifecycle,
  driverMemory: z.record(z.string(), z.unknown()),
  facts: z.record(z.string(), z.string()),
  resources: z.array(
    z.strictObject({
      key: z.string(),
      title: z.string(),
      state: z.enum(['asked', 'made']),
      tag: z.string(),
      id: z.string().nullable(),
    }),
  ),
  engine: z.strictObject({ version: z.string(), digest: z.string() }).nullable(),
  dockerContext: z.string().nullable(),
});

export function parseDocument(text: string, source: string): MachineDocument {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (error) {
    throw broken(source, 'it is not JSON', error);
  }
  const current = migrate(raw, { source, migrations, target: documentVersion });
  const checked = schema.safeParse(current);
  if (!checked.success) throw broken(source, z.prettifyError(checked.error).replaceAll('\n', ' '), checked.error);
  return checked.data;
}

export function formatDocument(document: MachineDocument): string {
  return `${JSON.stringify(document, null, 2)}\n`;
}

/** Applies `migrations[version]`, `migrations[version + 1]`, … until the document is of version `target`. */
export function migrate(
  raw: unknown,
  options: { readonly source: string; readonly migrations: readonly Migration[]; readonly target: number },
): Record<string, unknown> {
  const { source, target } = options;
  if (!isRecord(raw)) throw broken(source, 'it is not an object');
  let document = raw;
  for (;;) {
    const version = document['version'];
    if (typeof version !== 'number' || !Number.isInteger(version) || version < 1) {
      throw broken(source, `its version is ${JSON.stringify(version)}`);
    }
    if (version === target) return document;
    if (version > target) {
      throw broken(
        source,
        `it was written by a newer Skiff (version ${version}, this one knows ${target}); update Skiff`,
      );
    }
    const step = options.migrations[version];
    if (step === undefined) throw broken(source, `nothing is known that leads on from version ${version}`);
    document = { ...step(document), version: version + 1 };
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function broken(source: string, why: string, cause?: unknown): MachineError {
  return new MachineError('internal', `${source} cannot be read: ${why}`, { cause });
}
