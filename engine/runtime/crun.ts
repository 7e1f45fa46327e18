import { execFile } from 'node:child_process';
import { accessSync, constants, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { EngineError } from '../model/errors.ts';
import { missingControllers } from './cgroups.ts';
import { knownFlaws } from './crun-flaws.ts';
import { findInit, howToGetInit } from './init-program.ts';

export interface Crun {
  /** Absolute path. */
  readonly program: string;
  /** `1.21` */
  readonly version: string;
}

const programFolders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
/** Older ones cannot do `--detach` with a pid file as the monitor needs it, or lack recursive read-only binds. */
const oldestVersion = [1, 8] as const;
const versionTimeoutMs = 10_000;

/** What was found out before about the file of that size and time: asking a program for its version means starting it. */
export interface CrunMemory {
  recall(file: string): string | null;
  keep(file: string, version: string): void;
}

/** The container runtime of this computer. `unavailable` when there is none, or one that is too old. */
export async function findCrun(folders: readonly string[] = programFolders, memory?: CrunMemory): Promise<Crun> {
  const program = folders.map((folder) => join(folder, 'crun')).find(isExecutable);
  if (program === undefined)
    throw new EngineError(
      'unavailable',
      `crun, the program that starts containers, is not installed (looked in ${folders.join(', ')}): install the package crun`,
    );
  const { size, mtimeMs, ino } = statSync(program);
  const file = `${program} ${size} ${mtimeMs} ${ino}`;
  const version = memory?.recall(file) ?? (await askVersion(program));
  memory?.keep(file, version);
  if (!isAtLeast(version, oldestVersion))
    throw new EngineError(
      'unavailable',
      `${program} is version ${version}; the engine needs ${oldestVersion.join('.')} or newer`,
    );
  return { program, version };
}

async function askVersion(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['--version'], { timeout: versionTimeoutMs });
  const version = parseCrunVersion(stdout);
  if (version === null)
    throw new EngineError('unavailable', `${program} does not say which version it is: ${stdout.trim()}`);
  return version;
}

/** Null when the text is not what crun prints. */
export function parseCrunVersion(text: string): string | null {
  return /^crun version (\d+\.\d+\S*)/m.exec(text)?.[1] ?? null;
}

export interface RuntimeCheck {
  /** `note`: all works, and there is something to know. */
  readonly state: 'ok' | 'missing' | 'note';
  /** For the person who asked `--check`. */
  readonly text: string;
}

/** What containers need of this computer, and whether it is there. Changes nothing. */
export async function checkRuntime(): Promise<readonly RuntimeCheck[]> {
  const checks: RuntimeCheck[] = [];
  try {
    const { program, version } = await findCrun();
    checks.push({ state: 'ok', text: `crun ${version} (${program})` });
    for (const flaw of knownFlaws(version))
      checks.push({ state: 'note', text: `crun ${version} has ${flaw}, unless your distribution has mended it` });
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    checks.push({ state: 'missing', text: error.message });
  }
  const init = findInit();
  checks.push(
    init === null
      ? { state: 'note', text: `no program for --init: ${howToGetInit}` }
      : { state: 'ok', text: `a tiny init for --init (${init})` },
  );
  const missing = missingControllers();
  checks.push(
    missing.length === 0
      ? { state: 'ok', text: 'cgroups are mounted' }
      : {
          state: 'missing',
          text: `cgroups are not mounted: ${missing.join(', ')} (the engine mounts them when it starts)`,
        },
  );
  return checks;
}

function isAtLeast(version: string, [major, minor]: readonly [number, number]): boolean {
  const [hasMajor = 0, hasMinor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return hasMajor > major || (hasMajor === major && hasMinor >= minor);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
