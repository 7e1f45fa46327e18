import { getSystemErrorMessage } from 'node:util';
import { EngineError, EngineUnreachable, ReportedError } from '../client/errors.ts';
import type { Context } from './verb.ts';

/** Writes and waits where the reader is slower: nothing piles up, nothing is cut off at the end. */
export async function write(stream: NodeJS.WritableStream, data: string | Uint8Array): Promise<void> {
  if (stream.write(data)) return;
  await new Promise<void>((resolve, reject) => {
    const settle = (error?: Error): void => {
      stream.off('drain', onDrain).off('error', settle).off('close', onDrain);
      if (error) reject(error);
      else resolve();
    };
    const onDrain = (): void => settle();
    stream.once('drain', onDrain).once('error', settle).once('close', onDrain);
  });
}

export async function writeLines(stream: NodeJS.WritableStream, lines: readonly string[]): Promise<void> {
  if (lines.length > 0) await write(stream, `${lines.join('\n')}\n`);
}

/** What went wrong, for a person; docker's words where the engine spoke. */
export function describeError(error: unknown): string {
  if (error instanceof ReportedError) return error.message;
  if (error instanceof EngineError) return `Error response from daemon: ${error.message}`;
  if (!(error instanceof Error)) return String(error);
  return describeSystemError(error) ?? error.message;
}

/** `open /nowhere: no such file or directory`, as Go's programs and scripts that read them say it. */
function describeSystemError(error: Error): string | null {
  const { errno, syscall, path }: NodeJS.ErrnoException = error;
  if (errno === undefined || syscall === undefined || path === undefined) return null;
  return `${syscall} ${path}: ${getSystemErrorMessage(errno)}`;
}

/**
 * Does the same for each of `names`, all at once, and prints in order each name that succeeded (or what `work` gives
 * instead; null: nothing).
 * Errors come line by line on stderr. Exit code 1 when there was one.
 */
export async function forEachName(
  names: readonly string[],
  context: Context,
  work: (name: string) => Promise<string | null | void>,
): Promise<number> {
  const outcomes = await Promise.allSettled(names.map((name) => work(name)));
  // What cannot be reached for one cannot be reached for any: that is said once.
  const said = new Set<string>();
  for (const [index, outcome] of outcomes.entries()) {
    if (outcome.status === 'fulfilled') {
      const line = outcome.value === undefined ? names[index] : outcome.value;
      if (line !== null && line !== undefined) await writeLines(context.stdout, [line]);
      continue;
    }
    const message = describeError(outcome.reason);
    if (!(outcome.reason instanceof EngineUnreachable) || !said.has(message))
      await writeLines(context.stderr, [message]);
    said.add(message);
  }
  return said.size > 0 ? 1 : 0;
}
