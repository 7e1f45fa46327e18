import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { describeError } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import type { Context } from '../verb.ts';

/** An archive of this computer as a stream; `null` is stdin. Throws CommandError as docker when it cannot be opened. */
export async function openArchive(path: string | null, context: Context): Promise<Readable> {
  if (path === null) return context.stdin as Readable; // Every stdin of a process is a Readable; Node's types keep the old interface.
  try {
    const file = await open(path, 'r');
    return file.createReadStream({ highWaterMark: 1 << 20 });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
}
