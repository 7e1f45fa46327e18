import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { MachineError } from '../../machines.ts';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';

/**
 * The program that answers a virtio-fs device of QEMU's: one process a folder, which ends when QEMU lets go of it. There are two of that name: the
 * present one, which needs no administrator rights, and the one that came with QEMU before 8.0, which does.
 */
export interface Virtiofsd {
  readonly path: string;
  readonly kind: 'present' | 'former';
}

const runProgram = promisify(execFile);

/** Distributions put it where PATH does not lead. */
const usualFolders = ['/usr/libexec', '/usr/lib', '/usr/lib/qemu', '/usr/libexec/qemu', '/usr/lib/virtiofsd'];

/** Throws `driver-unavailable`, with what to do, where there is none that this user can run. */
export async function findVirtiofsd(
  computer: Computer,
  user: { readonly isRoot: boolean } = { isRoot: process.getuid?.() === 0 },
): Promise<Virtiofsd> {
  if (computer.platform !== 'linux') throw unusable('it is for Linux alone');
  const path = await findProgram('virtiofsd', { computer, usual: usualFolders });
  if (path === null)
    throw unusable(
      'virtiofsd is not installed. Debian 13, Ubuntu and Fedora have it as the package virtiofsd, Arch too; Debian 12 as part of qemu-system-common, for root',
    );
  const { stdout, stderr } = await runProgram(path, ['--version'], { timeout: 10_000 });
  const kind = /Fabrice Bellard/.test(stdout + stderr) ? 'former' : 'present';
  if (kind === 'former' && !user.isRoot)
    throw unusable(`${path} is QEMU's former one, which only root may run: install the package virtiofsd`);
  return { path, kind };
}

/** A guest gets what is in files and nothing else: no devices, no owners, no capabilities of files. */
const withoutRights = '-mknod:-setfcap:-chown';

/** The machine's own program keeps what is worth keeping in memory; a second such place would only grow old. */
export function virtiofsdArguments(
  kind: Virtiofsd['kind'],
  { folder, socket }: { readonly folder: string; readonly socket: string },
): readonly string[] {
  if (kind === 'present')
    return [
      `--socket-path=${socket}`,
      `--shared-dir=${folder}`,
      '--cache=never',
      '--sandbox=namespace',
      '--inode-file-handles=never',
      `--modcaps=${withoutRights}`,
      '--log-level=error',
    ];
  const source = folder.replace(/[\\,]/g, (special) => `\\${special}`);
  const options = [`source=${source}`, 'cache=none', 'sandbox=namespace', `modcaps=${withoutRights}`, 'log_level=err'];
  return [`--socket-path=${socket}`, ...options.flatMap((option) => ['-o', option])];
}

function unusable(why: string): MachineError {
  return new MachineError(
    'driver-unavailable',
    `Folders cannot be shared by virtiofs: ${why}, or use --qemu-shares sftp`,
  );
}
