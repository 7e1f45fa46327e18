import { chmod, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** Kept between runs, as tools keep theirs: it halves what each call of a played program costs, and suites make hundreds. */
const compileCache = fileURLToPath(new URL('../../node_modules/.cache/skiff-played', import.meta.url));

/** Writes a command of this name that runs a program of ours, as if it were the vendor's. */
export async function writePlayedCommand(path: string, program: URL): Promise<void> {
  const run = `NODE_COMPILE_CACHE='${compileCache}' exec '${process.execPath}' '${fileURLToPath(program)}' "$@"`;
  await writeFile(path, `#!/bin/sh\n${run}\n`);
  await chmod(path, 0o755);
}
