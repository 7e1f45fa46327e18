import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../../machines.ts';
import { isErrno, isThere } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type { MachineSnapshot } from '../../machines.ts';
import type { DriverMachine, DriverRun, DriverStateQuery, SnapshotRole } from '../driver.ts';
import { copyDisk } from './disk-copy.ts';

const ending = '.disk';

/**
 * Snapshots of a stopped machine whose data disk is one file of any form: copies of it beside it, which share its blocks where the
 * file system can.
 */
export function diskSnapshots(options: {
  /** Whether anything has the disk open. */
  readonly isRunning: (machine: DriverMachine) => Promise<boolean>;
  /** The disk's file; default: `paths.dataDisk`. */
  readonly diskOf?: (paths: MachinePaths) => string;
  /** Called before another file is put in the disk's place. */
  readonly letGo?: (machine: DriverMachine, run: DriverRun) => Promise<void>;
}): SnapshotRole {
  const { isRunning, diskOf = ({ dataDisk }: MachinePaths) => dataDisk, letGo } = options;
  const refuseRunning = async (machine: DriverMachine): Promise<void> => {
    if (!(await isRunning(machine))) return;
    const { name } = machine;
    throw new MachineError(
      'already-running',
      `Machine "${name}" is running; a snapshot is of a stopped one. Stop it with: skiff machine stop ${name}`,
    );
  };
  return {
    async list(machine: DriverStateQuery): Promise<readonly MachineSnapshot[]> {
      const folder = folderOf(machine.paths);
      const files = (await readNames(folder)).filter((file) => file.endsWith(ending));
      const found = await Promise.all(
        files.map(async (file): Promise<MachineSnapshot> => {
          const { mtime, blocks } = await stat(join(folder, file));
          // st_blocks counts 512 bytes each, whatever the file system's own are.
          return { name: file.slice(0, -ending.length), createdAt: mtime.toISOString(), sizeBytes: blocks * 512 };
        }),
      );
      return found.sort((one, other) => one.createdAt.localeCompare(other.createdAt));
    },

    async take(machine: DriverMachine, name: string, run: DriverRun): Promise<void> {
      await refuseRunning(machine);
      const file = fileOf(machine.paths, name);
      if (await isThere(file))
        throw new MachineError('name-taken', `Machine "${machine.name}" has a snapshot "${name}" already`);
      await mkdir(folderOf(machine.paths), { recursive: true, mode: 0o700 });
      await copyDisk(diskOf(machine.paths), file, run.signal);
    },

    async restore(machine: DriverMachine, name: string, run: DriverRun): Promise<void> {
      await refuseRunning(machine);
      const file = fileOf(machine.paths, name);
      if (!(await isThere(file))) throw noSuchSnapshot(machine, name);
      // A memory that was saved for another disk would tear this one apart.
      await rm(machine.paths.memoryState, { force: true });
      await letGo?.(machine, run);
      await copyDisk(file, diskOf(machine.paths), run.signal);
    },

    async remove(machine: DriverMachine, name: string): Promise<void> {
      const file = fileOf(machine.paths, name);
      if (!(await isThere(file))) throw noSuchSnapshot(machine, name);
      // Under another name first: a removal that is cut off leaves no half snapshot.
      await rename(file, `${file}.gone`);
      await rm(`${file}.gone`, { force: true });
    },
  };
}

function folderOf(paths: Pick<MachinePaths, 'folder'>): string {
  return join(paths.folder, 'snapshots');
}

function fileOf(paths: Pick<MachinePaths, 'folder'>, name: string): string {
  return join(folderOf(paths), `${name}${ending}`);
}

function noSuchSnapshot(machine: DriverMachine, name: string): MachineError {
  return new MachineError('no-such-snapshot', `Machine "${machine.name}" has no snapshot "${name}"`);
}

async function readNames(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}
