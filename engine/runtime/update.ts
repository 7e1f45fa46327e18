/**
 * New limits for a container that runs: written straight into its cgroup, a file each. The kernel takes them one by one, so
 * what was written is taken back when a later one is refused: the container has all of the new limits or all of the old.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { internal } from '../model/errors.ts';
import type { HostFacts, ResourceLimits } from './container-settings.ts';
import type { LimitFile } from './limit-file.ts';
import { limitFilesV1 } from './limit-files-v1.ts';
import { limitFilesV2 } from './limit-files-v2.ts';

export interface LimitChange {
  /** As in the spec: `/skiff-<engine>/<id>`. */
  readonly cgroup: string;
  readonly before: ResourceLimits;
  readonly after: ResourceLimits;
  readonly host: Pick<HostFacts, 'cgroupVersion' | 'controls'>;
  /** Where the cgroups are mounted, for tests. */
  readonly root?: string;
}

/**
 * Makes `after` true for the container's processes at once; files whose content stays the same are not written. Throws
 * `internal` with the kernel's reason when one is refused (memory that is in use, a processor that is not there).
 */
export function applyLimits(change: LimitChange): void {
  const { root = '/sys/fs/cgroup' } = change;
  const undo: LimitFile[] = [];
  for (const { file, text } of changedFiles(change)) {
    const place = path.join(root, file);
    try {
      const now = readBack(place);
      writeFileSync(place, text);
      undo.push({ file: place, text: now });
    } catch (error) {
      takeBack(undo);
      const why = error instanceof Error ? error.message : String(error);
      throw internal(`failed to write ${JSON.stringify(text)} to ${path.basename(file)}: ${why}`, { cause: error });
    }
  }
}

function changedFiles({ cgroup, before, after, host, root = '/sys/fs/cgroup' }: LimitChange): readonly LimitFile[] {
  const has = (file: string): boolean => existsSync(path.join(root, file));
  const filesOf = (limits: ResourceLimits): readonly LimitFile[] =>
    host.cgroupVersion === 2
      ? limitFilesV2({ cgroup, limits, other: before, has })
      : limitFilesV1({ cgroup, limits, other: before, controls: host.controls, has });
  const old = new Set(filesOf(before).map(({ file, text }) => `${file} ${text}`));
  return filesOf(after).filter(({ file, text }) => !old.has(`${file} ${text}`));
}

/** What a file must be given to be as it is now. */
function readBack(file: string): string {
  const text = readFileSync(file, 'latin1').trim();
  return file.endsWith('memory.oom_control') ? (/oom_kill_disable (\d)/.exec(text)?.[1] ?? '0') : text;
}

/** In the opposite order: what allowed a step allows its undoing. One that fails is passed over: the first reason is the one to tell. */
function takeBack(written: readonly LimitFile[]): void {
  for (const { file, text } of written.toReversed()) {
    for (const line of text === '' ? ['\n'] : text.split('\n')) {
      try {
        writeFileSync(file, line);
      } catch {
        continue;
      }
    }
  }
}
