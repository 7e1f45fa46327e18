import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';
import { shellQuote } from '../../line/line.ts';
import { syncFolder } from '../../store/atomic-file.ts';
import type { MachinePaths } from '../../store/home.ts';
import type { DriverRun } from '../driver.ts';
import { QmpConnection } from './qmp.ts';
import { endVmProcess } from '../vm/vm-process.ts';
import { forgetQemu, startQemu } from './qemu-process.ts';

/**
 * Suspend to disk: QEMU "migrates" the stopped guest into a file, and a later QEMU with the very same arguments takes it from
 * there. The file is used once: it is gone before the guest runs again, for its memory belongs to the disk as it was.
 */
type StatePaths = Pick<MachinePaths, 'memoryState'>;

const migration = z.object({
  status: z.string().optional(),
  ram: z.object({ transferred: z.number(), total: z.number() }).optional(),
  'error-desc': z.string().optional(),
});

/** Memory of some gigabytes onto a slow disk. */
const saveTimeoutMs = 10 * 60_000;
const resumeTimeoutMs = 2 * 60_000;

/** Writes the guest's memory and ends it. When it fails, the guest goes on. */
export async function saveMemory(options: {
  readonly socket: string;
  readonly paths: StatePaths;
  readonly run: DriverRun;
}): Promise<void> {
  const { socket, paths, run } = options;
  const making = `${paths.memoryState}.new`;
  using qmp = await QmpConnection.connect(socket);
  await qmp.execute('stop');
  try {
    await rm(making, { force: true });
    await writeMemory({ qmp, file: making, run });
    await rename(making, paths.memoryState);
    await syncFolder(dirname(paths.memoryState));
  } catch (error) {
    await rm(making, { force: true });
    // A guest that is already written out would run on beside its copy, were the copy still there.
    await qmp.execute('cont').catch(() => undefined);
    throw error;
  }
  // QEMU may end before it answers.
  await qmp.execute('quit').catch(() => undefined);
}

/** Writes the memory of a guest that stands still, and waits until it is on the disk. */
export async function writeMemory(options: {
  readonly qmp: QmpConnection;
  readonly file: string;
  readonly run: DriverRun;
}): Promise<void> {
  const { qmp, run } = options;
  // QEMU 7 takes no file name; a shell's redirection it always could.
  await qmp.execute('migrate', { arguments: { uri: `exec:umask 077; cat > ${shellQuote(options.file)}` } });
  await waitForMigration(qmp, { run, timeoutMs: saveTimeoutMs });
  await using file = await open(options.file, 'r+');
  await file.sync();
}

/** How QEMU is told to begin with memory that was written. */
export function fromMemory(file: string): readonly string[] {
  return ['-incoming', `exec:cat ${shellQuote(file)}`];
}

/** Starts QEMU from the saved memory; null, with nothing left running, when it cannot be used: then a boot is the way. */
export async function resumeFromMemory(options: {
  readonly program: string;
  readonly arguments: readonly string[];
  readonly paths: MachinePaths & { readonly qmpSocket: string };
  readonly run: DriverRun;
}): Promise<'resumed' | 'unusable'> {
  const { program, paths, run } = options;
  await forgetQemu(paths);
  const args = [...options.arguments, ...fromMemory(paths.memoryState)];
  const qemu = await startQemu({ program, arguments: args, paths });
  try {
    using qmp = await connectOnceThere(paths.qmpSocket, qemu.ended, run.signal);
    await waitForIncoming(qmp, qemu.ended, run);
    // From here on the memory on disk is no longer that of this disk.
    await rm(paths.memoryState, { force: true });
    await syncFolder(dirname(paths.memoryState));
    await qmp.execute('cont');
    return 'resumed';
  } catch (error) {
    await endVmProcess(qemu.identity);
    await forgetQemu(paths);
    run.signal.throwIfAborted();
    run.tell({ detail: `its saved memory cannot be used: ${error instanceof Error ? error.message : String(error)}` });
    return 'unusable';
  }
}

async function waitForMigration(
  qmp: QmpConnection,
  options: { readonly run: DriverRun; readonly timeoutMs: number },
): Promise<void> {
  const { run, timeoutMs } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const { status, ram, ...rest } = migration.parse(await qmp.execute('query-migrate'));
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled')
      throw new MachineError(
        'internal',
        `QEMU could not write the memory (is there room on the disk?): ${rest['error-desc'] ?? status}`,
      );
    if (performance.now() > deadline) {
      await qmp.execute('migrate_cancel');
      throw new MachineError('timeout', `QEMU did not write the memory within ${timeoutMs / 60_000} minutes`);
    }
    if (ram !== undefined)
      run.tell({ fraction: Math.min(1, ram.transferred / ram.total), detail: 'writing its memory' });
    await delay(50, undefined, { signal: run.signal });
  }
}

/** Until the memory is read: QEMU says `inmigrate` while it reads, and `paused` or what the guest was when it has. */
export async function waitForIncoming(
  qmp: QmpConnection,
  ended: Promise<{ readonly complaint: string }>,
  run: DriverRun,
): Promise<void> {
  const deadline = performance.now() + resumeTimeoutMs;
  const died = ended.then(({ complaint }) => {
    throw new MachineError('boot-failed', complaint || 'QEMU ended');
  });
  died.catch(() => undefined);
  while ((await Promise.race([qmp.status(), died])) === 'inmigrate') {
    if (performance.now() > deadline) throw new MachineError('timeout', 'QEMU does not come to an end of reading it');
    await delay(20, undefined, { signal: run.signal });
  }
}

export async function connectOnceThere(
  socket: string,
  ended: Promise<{ readonly complaint: string }>,
  signal: AbortSignal,
): Promise<QmpConnection> {
  let complaint: string | null = null;
  void ended.then((how) => (complaint = how.complaint));
  const deadline = performance.now() + 10_000;
  for (;;) {
    try {
      return await QmpConnection.connect(socket);
    } catch (error) {
      if (complaint !== null) throw new MachineError('boot-failed', complaint, { cause: error });
      if (performance.now() > deadline) throw error;
    }
    await delay(20, undefined, { signal });
  }
}
