import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/** The computer that machines are made on; tests name another one. */
export interface Computer {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export const thisComputer = (): Computer => ({
  platform: process.platform,
  arch: process.arch,
  environment: process.env,
});

/**
 * Looks through PATH and then the folders where installers put it without telling PATH. Null when it is not there.
 * `name` is without `.exe`.
 */
export async function findProgram(
  name: string,
  options: { readonly computer: Computer; readonly usual: readonly string[] },
): Promise<string | null> {
  const { platform, environment } = options.computer;
  const isWindows = platform === 'win32';
  const fromPath = (environment[isWindows ? 'Path' : 'PATH'] ?? environment['PATH'] ?? '').split(delimiter);
  for (const folder of [...fromPath, ...options.usual]) {
    if (folder === '') continue;
    const candidate = join(folder, isWindows ? `${name}.exe` : name);
    if (await isExecutable(candidate)) return candidate;
  }
  return null;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
