import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MachineError } from '../../machines.ts';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';

/** vfkit, the command line of Apple's Virtualization framework (https://github.com/crc-org/vfkit). */
export interface VfkitProgram {
  readonly path: string;
  /** `0.6.1`. */
  readonly version: string;
}

/** The first whose control socket may be a unix socket and that checks the kernel's form. */
const least = { major: 0, minor: 5 } as const;

const runProgram = promisify(execFile);

/** Null when it is not there; throws `driver-unavailable` when it is none that Skiff can use. */
export async function findVfkit(computer: Computer): Promise<VfkitProgram | null> {
  // An app that is started from the Dock does not have Homebrew in its PATH.
  const usual = ['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin', '/opt/podman/bin'];
  const path = await findProgram('vfkit', { computer, usual });
  if (path === null) return null;
  const options = { timeout: 10_000, env: { ...computer.environment } };
  const { stdout } = await runProgram(path, ['--version'], options);
  const found = /version:?\s+v?((\d+)\.(\d+)\.\d+)/.exec(stdout);
  if (found?.[1] === undefined)
    throw new MachineError('driver-unavailable', `${path} does not tell its version; is it vfkit?`);
  const [version, major, minor] = [found[1], Number(found[2]), Number(found[3])];
  if (major < least.major || (major === least.major && minor < least.minor)) {
    const message = `vfkit ${version} is too old; Skiff needs ${least.major}.${least.minor} or newer. Upgrade it with: brew upgrade vfkit`;
    throw new MachineError('driver-unavailable', message);
  }
  return { path, version };
}

export const vfkitMissing = 'vfkit is not installed. Install it with: brew install vfkit';
