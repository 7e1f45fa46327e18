import { createWriteStream, existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { write } from '../report.ts';
import { CommandError } from '../usage-error.ts';
import type { Context } from '../verb.ts';

/**
 * Writes what comes from the engine to a file, or to stdout. A file is there whole or not at all: what is written stands beside it under
 * another name until its end. Throws CommandError, before the engine is asked, where it cannot be written.
 */
export async function writeDownload(
  context: Context,
  { file, what }: { readonly file: string | undefined; readonly what: string },
  begin: () => Promise<Readable>,
): Promise<void> {
  if (file === undefined) {
    if (context.stdout.isTTY) {
      throw new CommandError('cowardly refusing to save to a terminal. Use the -o flag or redirect');
    }
    for await (const chunk of (await begin()) as AsyncIterable<Buffer>) await write(context.stdout, chunk);
    return;
  }
  checkTarget(file, `failed to ${what}`);
  const isDevice = existsSync(file) && !statSync(file).isFile();
  const tar = await begin();
  if (isDevice) return await pipeline(tar, createWriteStream(file));
  const fresh = `${file}.${process.pid}.part`;
  using _signals = context.onSignal(['SIGINT', 'SIGTERM'], () => {
    tar.destroy(new CommandError('interrupted', { exitCode: 130 }));
  });
  try {
    await pipeline(tar, createWriteStream(fresh, { mode: 0o600 }));
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

function checkTarget(file: string, prefix: string): void {
  const folder = dirname(file);
  if (!existsSync(folder)) {
    throw new CommandError(`${prefix}: invalid output path: stat ${folder}: no such file or directory`);
  }
  if (existsSync(file) && statSync(file).isDirectory())
    throw new CommandError(`${prefix}: cannot write to a directory`);
}
