import { z } from './zod.ts';
import { errorShape } from './errors.ts';
import { listUpdate } from './list-updates.ts';
import { method, stream } from './shape.ts';

const appInfo = z.object({
  version: z.string(),
  /** Of the computer that the core runs on, which in a browser need not be the one with the screen. */
  platform: z.enum(['darwin', 'win32', 'linux', 'other']),
  arch: z.string(),
  /** What shows the page. */
  host: z.enum(['electron', 'browser']),
  /** What that host can do; the page hides what it cannot. */
  capabilities: z.object({ tray: z.boolean(), nativeDialogs: z.boolean() }),
  /** Name of the machine that is made at the first run and that actions go to when nothing else is chosen. */
  defaultMachine: z.string(),
});
export type AppInfo = z.infer<typeof appInfo>;

/** Something that takes a while, in one line of a status bar: a machine's operation, an image that is being loaded. */
const task = z.object({
  id: z.string(),
  /** For people, in the present: `Creating the machine default`. */
  title: z.string(),
  machine: z.string().nullable(),
  state: z.enum(['running', 'done', 'failed']),
  /** 0 to 1; null while nobody can say. */
  fraction: z.number().min(0).max(1).nullable(),
  detail: z.string().nullable(),
  /** Unix milliseconds. */
  startedAt: z.number(),
  error: errorShape.nullable(),
});
export type Task = z.infer<typeof task>;

export const app = {
  info: method({ input: z.strictObject({}), output: appInfo }),
  /** Tasks that run, and the last few that ended. Keyed by `id`. */
  tasks: stream({ input: z.strictObject({}), item: listUpdate(task, z.string()) }),
};
