/**
 * The files of the monitors. Below the monitors' folder: `<name>.sock`, `running/<id>.json` for each container that runs,
 * `execs/` while one is being started; below the exit folder: `<id>.json` for each exit that is not acknowledged. Whole files appear by rename.
 */
import {
  closeSync,
  fsync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { isProcessAlive, ProcessHandle } from '../kernel/pidfd.ts';
import { parseContainerId, type ContainerId, type ExecId } from '../model/ids.ts';
import type { SpecProcess } from '../runtime/oci.ts';
import type { ExitRecord, RuntimeProgram } from './monitor.ts';
import { DiskReserve } from '../store/disk-reserve.ts';
import { fromWireExit, toWireExit, type WireExitRecord, type WireStarted } from './wire.ts';

const onDisk = promisify(fsync);
/** Exit records are smaller than a block each. */
const reserved = { pieces: 8, pieceBytes: 16 * 1024 };

/** Who has a container, and what is needed to take it over. */
export interface RunningRecord {
  readonly started: WireStarted;
  readonly monitor: ProcessIdentity;
  readonly runtime: RuntimeProgram;
  readonly cgroup: string | null;
}

export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

export function isAlive(identity: ProcessIdentity): boolean {
  return isProcessAlive(identity.pid, identity.startTicks);
}

/** False when the process is still there after that time. */
export async function awaitEndOf(identity: ProcessIdentity, timeoutMs: number): Promise<boolean> {
  using handle = ProcessHandle.open(identity.pid);
  if (handle === null || !isAlive(identity)) return true;
  let timer: NodeJS.Timeout | undefined;
  const hasEnded = await new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs);
    handle.onEnd(() => resolve(true));
  });
  clearTimeout(timer);
  return hasEnded;
}

export class MonitorRecords {
  readonly #running: string;
  readonly #execs: string;
  readonly #exits: string;
  readonly #reserve: DiskReserve;

  constructor(folder: string, exitFolder: string) {
    this.#running = join(folder, 'running');
    this.#execs = join(folder, 'execs');
    this.#exits = exitFolder;
    mkdirSync(this.#execs, { recursive: true, mode: 0o700 });
    mkdirSync(this.#running, { recursive: true, mode: 0o700 });
    mkdirSync(this.#exits, { recursive: true, mode: 0o700 });
    this.#reserve = new DiskReserve({ folder: join(exitFolder, 'reserve'), ...reserved });
  }

  /** Where crun writes the pid of a container that it starts. */
  pidPath(id: ContainerId): string {
    return join(this.#running, `${id}.pid`);
  }

  /** Room for the exits of what is started now, should the disk be full by then. */
  fillReserve(): void {
    this.#reserve.fill();
  }

  /** For crun to read, and where it is to write the pid. The caller removes both. */
  writeExecProcess(id: ExecId, process: SpecProcess): { readonly processPath: string; readonly pidPath: string } {
    const processPath = join(this.#execs, `${id}.json`);
    writeFileSync(processPath, JSON.stringify(process), { mode: 0o600 });
    return { processPath, pidPath: join(this.#execs, `${id}.pid`) };
  }

  writeRunning(id: ContainerId, record: RunningRecord): void {
    const path = join(this.#running, `${id}.json`);
    writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  readRunning(id: ContainerId): RunningRecord | null {
    return readJson(join(this.#running, `${id}.json`)) as RunningRecord | null;
  }

  running(): readonly ContainerId[] {
    return idsIn(this.#running);
  }

  removeRunning(id: ContainerId): void {
    rmSync(join(this.#running, `${id}.json`), { force: true });
    rmSync(this.pidPath(id), { force: true });
  }

  /**
   * When it resolves the record is there for whoever reads it next, and on the disk unless it is volatile. Only what waits
   * for the disk is done on another thread.
   */
  async writeExit(record: ExitRecord, options: { readonly isVolatile: boolean }): Promise<void> {
    const path = join(this.#exits, `${record.id}.json`);
    const bytes = Buffer.from(JSON.stringify(toWireExit(record)));
    const file = this.#reserve.around(() => openSync(`${path}.new`, 'w', 0o600));
    try {
      this.#reserve.around(() => writeAll(file, bytes));
      if (!options.isVolatile) await onDisk(file);
    } finally {
      closeSync(file);
    }
    renameSync(`${path}.new`, path);
    if (options.isVolatile) return;
    const folder = openSync(this.#exits, 'r');
    try {
      await onDisk(folder);
    } finally {
      closeSync(folder);
    }
  }

  readExit(id: ContainerId): ExitRecord | null {
    const record = readJson(join(this.#exits, `${id}.json`)) as WireExitRecord | null;
    return record === null ? null : fromWireExit(record);
  }

  exits(): readonly ContainerId[] {
    return idsIn(this.#exits);
  }

  removeExit(id: ContainerId): void {
    rmSync(join(this.#exits, `${id}.json`), { force: true });
  }
}

/** From the beginning of the file, whatever of it is there already. */
function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at, bytes.length - at, at);
}

function idsIn(folder: string): readonly ContainerId[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => parseContainerId(name.slice(0, -'.json'.length)));
}

/** Null when there is no such file, and for one that was not waited for on the disk when the power went: it may be empty. */
function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
