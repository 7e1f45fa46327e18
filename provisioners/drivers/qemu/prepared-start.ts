import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { noteUse } from '../../machine-image/note-use.ts';
import { isErrno, isThere } from '../../store/atomic-file.ts';
import type { DriverRun } from '../driver.ts';
import { requireSpace } from '../vm/free-space.ts';
import type { QemuBoot } from './qemu-arguments.ts';
import { generationDevice, qemuArguments } from './qemu-arguments.ts';
import type { QmpConnection } from './qmp.ts';
import { writeMemory } from './suspend.ts';

/**
 * An emulated processor takes seconds for what is the same at each start of each machine: kernel, modules, mounts, Node. So the first boot of an image
 * on this computer stands still when that is done (`prepare.sh` in resources/machine-image/), before it has read anything of who it
 * is or of its disks, and its memory is kept beside the image. Later starts, of whatever machine with the same devices, go on from there.
 *
 * What makes that safe: the guest has its disks taken off until then, so no cache holds another machine's; QEMU gives it a new generation
 * number (`vmgenid`), whereupon its kernel makes its random numbers anew, and so does the one process that has some already (its clock jumps
 * by years, `prepare.sh`); its clock is set from the computer's. The file is a convenience: where it does not work it is removed, and the
 * machine boots.
 */
export interface PreparedStart {
  readonly file: string;
  readonly isThere: boolean;
}

/** Each of some hundred megabytes; machines of other sizes or with other devices have others. */
const keptAtMost = 4;

/** Null where starts are not prepared. */
export async function findPreparedStart(boot: QemuBoot, qemuVersion: string): Promise<PreparedStart | null> {
  if (generationDevice(boot) === null) return null;
  const file = join(dirname(boot.image.systemDisk), 'prepared', keyOf(boot, qemuVersion));
  const isKept = await isThere(file);
  if (isKept) await noteUse(file);
  return { file, isThere: isKept };
}

/** Of everything that QEMU is started with but what differs from machine to machine. */
function keyOf(boot: QemuBoot, qemuVersion: string): string {
  const anyMachine: QemuBoot = {
    ...boot,
    name: '',
    dataDisk: { ...boot.dataDisk, path: '' },
    seed: '',
    sshPort: 0,
    serialLog: '',
    pidFile: '',
    qmpSocket: '',
  };
  const parts = JSON.stringify([qemuVersion, qemuArguments(anyMachine)]);
  return createHash('sha256').update(parts).digest('hex').slice(0, 16);
}

/** Keeps the memory of the guest that stands still; a start does not fail because it could not be kept. */
export async function keepPreparedStart(qmp: QmpConnection, file: string, run: DriverRun): Promise<void> {
  const folder = dirname(file);
  const making = `${file}.${randomUUID()}.new`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await requireSpace({ folder: file });
    await writeMemory({ qmp, file: making, run });
    await rename(making, file);
    await removeOldest(folder);
  } catch (error) {
    await rm(making, { force: true });
    run.signal.throwIfAborted();
    run.tell({
      detail: `later starts cannot be prepared: ${error instanceof Error ? error.message : String(error)}`,
    });
  }
}

/** What was used longest ago, and what nobody finished. */
async function removeOldest(folder: string): Promise<void> {
  const files = await Promise.all(
    (await readdir(folder)).map(async (name) => ({
      path: join(folder, name),
      usedMs: await lastUse(join(folder, name)),
    })),
  );
  const abandonedMs = Date.now() - 3_600_000;
  const [unfinished, kept] = [files.filter(isUnfinished), files.filter((file) => !isUnfinished(file))];
  const old = [
    ...unfinished.filter(({ usedMs }) => usedMs < abandonedMs),
    ...kept.sort((one, other) => other.usedMs - one.usedMs).slice(keptAtMost),
  ];
  for (const { path } of old) await rm(path, { force: true });
}

const isUnfinished = ({ path }: { readonly path: string }): boolean => path.endsWith('.new');

async function lastUse(path: string): Promise<number> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    // Another start has just removed or finished it.
    if (isErrno(error, 'ENOENT')) return Number.POSITIVE_INFINITY;
    throw error;
  }
}
