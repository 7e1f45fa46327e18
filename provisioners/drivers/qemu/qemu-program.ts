import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MachineError } from '../../machines.ts';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';

/** The QEMU of this computer for guests of this computer's own processor. */
export interface QemuProgram {
  readonly path: string;
  /** `7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)`: all that it says, for a packager's patch may matter as much as a version. */
  readonly version: string;
}

const runProgram = promisify(execFile);

/** Older ones lack options that machines are started with, and nobody tries them. */
const leastMajor = 6;

/** Looks through PATH and the places where installers put QEMU without telling PATH. Null when it is not there; throws `driver-unavailable` when it is none to use. */
export async function findQemu(computer: Computer): Promise<QemuProgram | null> {
  const path = await findProgram(programName(computer), { computer, usual: usualFolders(computer) });
  if (path === null) return null;
  const version = await versionOf(path);
  if (Number.parseInt(version, 10) < leastMajor)
    throw new MachineError(
      'driver-unavailable',
      `QEMU ${version} (${path}) is too old; Skiff needs ${leastMajor}.0 or newer. Upgrade it, or put a newer one first in PATH`,
    );
  return { path, version };
}

/** What programs said; each takes QEMU 50 ms, and a start wants it twice. Another file at a path is asked anew. */
const known = new Map<string, string>();

async function versionOf(path: string): Promise<string> {
  const { ino, size, mtimeMs } = await stat(path);
  const program = [path, ino, size, mtimeMs].join(' ');
  const before = known.get(program);
  if (before !== undefined) return before;
  const { stdout } = await runProgram(path, ['--version'], { timeout: 10_000, windowsHide: true });
  const version = /version\s+(.+)/.exec(stdout)?.[1]?.trim();
  if (version === undefined)
    throw new MachineError('driver-unavailable', `${path} does not tell its version; is it QEMU?`);
  known.set(program, version);
  return version;
}

/** What to say when QEMU is missing: the exact command where there is one. */
export function qemuMissing(computer: Computer): string {
  const program = programName(computer);
  const isArm = computer.arch === 'arm64';
  switch (computer.platform) {
    case 'darwin':
      return `QEMU (${program}) is not installed. Install it with: brew install qemu`;
    case 'win32':
      return `QEMU (${program}.exe) is not installed. Install it with: winget install SoftwareFreedomConservancy.QEMU`;
    default: {
      const debian = isArm ? 'qemu-system-arm' : 'qemu-system-x86';
      return (
        `QEMU (${program}) is not installed. Debian and Ubuntu: sudo apt-get install ${debian}; ` +
        `Fedora: sudo dnf install ${isArm ? 'qemu-system-aarch64-core' : 'qemu-system-x86-core'}; ` +
        `Arch: sudo pacman -S ${isArm ? 'qemu-system-aarch64' : 'qemu-system-x86'}`
      );
    }
  }
}

function programName(computer: Computer): string {
  return computer.arch === 'arm64' ? 'qemu-system-aarch64' : 'qemu-system-x86_64';
}

/** Where installers put it without telling PATH: an app that is started from the Dock does not have Homebrew in its. */
function usualFolders({ platform, environment }: Computer): readonly string[] {
  switch (platform) {
    case 'darwin':
      return ['/opt/homebrew/bin', '/usr/local/bin', '/opt/local/bin'];
    case 'win32':
      return [join(environment['ProgramFiles'] ?? 'C:\\Program Files', 'qemu')];
    case 'linux':
      return ['/usr/bin', '/usr/local/bin'];
    default:
      return [];
  }
}
