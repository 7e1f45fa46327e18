/** What the engine and its tree program say to each other; bytes of archives come in over a pipe beside it (`frames.ts`) and go out over another (`job-output.ts`). One job at a time. */
import type { DeviceMount } from '../kernel/mount.ts';
import type { LayerTarget, Unpacked } from '../layers/unpack-protocol.ts';
import type { ErrorKind } from '../model/errors.ts';
import type { Change, OverlayFolders, PathStat, UnpackInto, View } from './trees.ts';

export type TreeJob =
  | { readonly verb: 'stat'; readonly view: View; readonly path: string }
  | { readonly verb: 'pack'; readonly view: View; readonly path: string }
  | { readonly verb: 'pack-all'; readonly root: string }
  | { readonly verb: 'write-changes'; readonly upper: string; readonly target: LayerTarget }
  | { readonly verb: 'unpack'; readonly view: View; readonly into: UnpackInto }
  | { readonly verb: 'copy-up'; readonly root: string; readonly path: string; readonly folder: string }
  | { readonly verb: 'changes'; readonly layers: OverlayFolders }
  | { readonly verb: 'measure'; readonly folders: readonly string[] }
  | { readonly verb: 'usage'; readonly paths: readonly string[] }
  | { readonly verb: 'copy-tree'; readonly from: string; readonly to: string }
  | { readonly verb: 'mount'; readonly device: DeviceMount };

export type TreeReport =
  /** Bytes follow, or are awaited; told again, it is a sign of life. */
  | { readonly kind: 'begun'; readonly stat: PathStat | null }
  | { readonly kind: 'done'; readonly result: TreeResult }
  | { readonly kind: 'failed'; readonly error: ErrorKind; readonly message: string; readonly cause: 'no-space' | null };

export type TreeResult =
  | { readonly is: 'nothing' }
  /** So many bytes of an archive were written to the output. */
  | { readonly is: 'sent'; readonly sizeBytes: number }
  | { readonly is: 'stat'; readonly stat: PathStat }
  | { readonly is: 'unpacked'; readonly unpacked: Unpacked }
  | { readonly is: 'sizes'; readonly sizes: readonly number[] }
  | { readonly is: 'changes'; readonly changes: readonly Change[] };
