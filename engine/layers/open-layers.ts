import { closeSync, constants, openSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { BlobStore } from '../content/blob-store.ts';
import type { Content } from '../content/content.ts';
import type { Log } from '../diagnostics/log.ts';
import { readBootId } from '../kernel/boot-id.ts';
import { syncFileSystemAside } from '../kernel/files.ts';
import type { Database } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';
import { WriteOut } from '../store/write-out.ts';
import { LayerStore } from './layer-store.ts';
import { LayerTars } from './layer-tars.ts';
import { tarProgram } from './tar-program.ts';
import { unpackProgram } from './unpack-program.ts';
import { UnpackWorkers } from './unpack-workers.ts';

/** The layers of a data root and the blobs that they came from, with the processes that work on them. */
export interface OpenLayers extends AsyncDisposable {
  readonly layers: LayerStore;
  readonly content: Content;
  /** Processes that are running now, for tests and support. */
  pids(): readonly number[];
}

export function openLayers(parts: {
  readonly database: Database;
  readonly dataRoot: string;
  readonly log: Log;
  readonly reserve?: Pick<DiskReserve, 'around'>;
  /** Told each point where something is half done, and where a test may end the engine. */
  readonly reach?: (point: string) => void;
  /** Of this computer, where left out. */
  readonly bootId?: string;
  /** See `WriteOut`. */
  readonly quietMs?: number;
  /** Paths of the programs that work on layers, where not those beside this file. */
  readonly programs?: { readonly unpack: string; readonly tar: string };
}): OpenLayers {
  const { reserve = { around: (work) => work() }, bootId = readBootId() } = parts;
  const { programs = { unpack: unpackProgram, tar: tarProgram } } = parts;
  const opened = new AsyncDisposableStack();
  const root = openSync(parts.dataRoot, constants.O_DIRECTORY);
  opened.defer(() => closeSync(root));
  const sync = (): Promise<void> => syncFileSystemAside(root);
  const writeOut = opened.use(new WriteOut({ ...parts, sync, bootId, reserve }));
  // More would share what there is, and each would have to become warm.
  const most = Math.min(4, Math.max(2, availableParallelism()));
  const content = new BlobStore({ ...parts, reserve, writeOut, nowMs: Date.now });
  const workers = opened.use(new UnpackWorkers({ program: programs.unpack, most }));
  const tars = opened.use(new LayerTars({ program: programs.tar, most: 3 }));
  const layers = opened.use(new LayerStore({ ...parts, reserve, writeOut, workers, tars, content }));
  return {
    layers,
    content,
    pids: () => [...workers.pids, ...tars.pids],
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
