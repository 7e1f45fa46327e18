/** The config of a squashed image: the same but for layers and history, which tells what was merged. */
import { invalid } from '../model/errors.ts';
import type { DiffId, ImageId } from '../model/ids.ts';

type Json = Readonly<Record<string, unknown>>;

export interface Range {
  /** Indices of layers, from 0 at the bottom; both are in it. */
  readonly from: number;
  readonly to: number;
}

/** `configText`: of the image `source`, as it was written. The same arguments give the same text. */
export function mergedConfig(
  configText: string,
  merged: { readonly source: ImageId; readonly range: Range; readonly diffId: DiffId },
): string {
  const config = objectOf(JSON.parse(configText));
  const rootfs = objectOf(config['rootfs']);
  const diffIds = listOf(rootfs['diff_ids']);
  const { from, to } = merged.range;
  const history = mergedHistory(listOf(config['history']).map(objectOf), diffIds.length, merged);
  return JSON.stringify({
    ...config,
    history,
    rootfs: { ...rootfs, diff_ids: [...diffIds.slice(0, from), merged.diffId, ...diffIds.slice(to + 1)] },
  });
}

function mergedHistory(
  history: readonly Json[],
  layerCount: number,
  { source, range }: { readonly source: ImageId; readonly range: Range },
): readonly Json[] {
  const { from, to } = range;
  const note = {
    created_by: `skiff squash: layers ${from} to ${to} of ${source}`,
    comment: `merges ${to - from + 1} layers`,
  };
  const told = history.filter((step) => step['empty_layer'] !== true).length;
  // A history that does not fit its layers cannot say which step made which.
  if (told !== layerCount) {
    const above = Array.from({ length: layerCount - 1 - to }, () => ({ created_by: `a layer of ${source}` }));
    const below = Array.from({ length: from }, () => ({ created_by: `a layer of ${source}` }));
    return [...history.map((step) => ({ ...step, empty_layer: true })), ...below, note, ...above];
  }
  const steps: Json[] = [];
  let layer = -1;
  for (const step of history) {
    if (step['empty_layer'] !== true) layer += 1;
    const isMerged = step['empty_layer'] !== true && layer >= from && layer <= to;
    steps.push(isMerged ? { ...step, empty_layer: true } : step);
    if (isMerged && layer === to) steps.push({ ...createdOf(step), ...note });
  }
  return steps;
}

/** The time of the last step that was merged, and none of ours: the same image gives the same bytes. */
function createdOf(step: Json): Json {
  return typeof step['created'] === 'string' ? { created: step['created'] } : {};
}

function objectOf(value: unknown): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid('image config: expected an object');
  return value as Json;
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as readonly unknown[]) : [];
}
