import type { HistoryItem } from '../../api/images.ts';
import type { SkiffImageLayers, SkiffLayer } from '../../api/skiff.ts';
import { printable, shortened } from '../formats/printable.ts';
import { formatSize } from '../formats/sizes.ts';
import { humanDuration } from '../formats/times.ts';
import { barOf, paint } from './picture-style.ts';
import type { PictureStyle } from './picture-style.ts';

interface Drawn {
  /** Known where the engine tells of layers. */
  readonly layers: SkiffImageLayers | null;
  readonly nowMs: number;
  readonly style: PictureStyle;
}

const barWidth = 20;

/**
 * The history of an image as a picture, newest step first: how large each layer is beside the largest, what made it, and how much of it nobody
 * sees any more. The numbers are those that `squash --from --to` takes.
 */
export function historyPicture(name: string, items: readonly HistoryItem[], { layers, nowMs, style }: Drawn): string[] {
  const largest = Math.max(1, ...items.map(({ Size }) => Size));
  const total = layers?.sizeBytes ?? items.reduce((sum, { Size }) => sum + Size, 0);
  const byStep = layersOfSteps(items, layers?.layers ?? []);
  const count = layers?.layers.length;
  const wasted = layers !== null && layers.wastedBytes > 0 ? `, ${formatSize(layers.wastedBytes)} of it unseen` : '';
  const title = `${printable(name)}  ${formatSize(total)}${count === undefined ? '' : ` in ${count} layer${count === 1 ? '' : 's'}`}${wasted}`;
  const lines = items.map((item, index) => {
    const layer = byStep[index] ?? null;
    const age = item.Created === 0 ? '' : humanDuration(nowMs - item.Created * 1000);
    const left = `${(layer === null ? '' : String(layer.index)).padStart(3)}  ${formatSize(item.Size).padStart(7)}  `;
    const bar = barOf(item.Size / largest, barWidth, style);
    const unseen = layer !== null && layer.wastedBytes > 0 ? ` (${formatSize(layer.wastedBytes)} unseen)` : '';
    const room = Math.max(20, style.columns - 1 - left.length - barWidth - 2 - 18);
    const text = shortened(instructionOf(item), room - unseen.length) + unseen;
    const isEmpty = item.Size === 0;
    return `${left}${paint('cyan', bar, style)}  ${paint('dim', age.padEnd(16), style)}  ${isEmpty ? paint('dim', text, style) : text}`.trimEnd();
  });
  return [paint('bold', title, style), '', ...lines];
}

/** What the person has written: without the shell that the builder has put before it, and the mark of the one that did. */
function instructionOf({ CreatedBy, Comment }: HistoryItem): string {
  const text = CreatedBy.replace(/^\/bin\/sh -c #\(nop\)\s*/, '')
    .replace(/^\/bin\/sh -c /, 'RUN ')
    .replace(/^RUN \/bin\/sh -c /, 'RUN ')
    .replace(/ # buildkit$/, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return printable(text === '' ? Comment.trim() : text);
}

/**
 * Steps and layers have no common name on the wire: a step belongs to the layer of the same instruction, top down, and steps that made no
 * layer are passed over. Null where none fits.
 */
function layersOfSteps(items: readonly HistoryItem[], layers: readonly SkiffLayer[]): readonly (SkiffLayer | null)[] {
  const rest = [...layers];
  return items.map((item) => {
    const top = rest.at(-1);
    if (top === undefined) return null;
    const isOfIt =
      (top.instruction ?? '') === item.CreatedBy && (item.Size > 0 || (rest.length > 0 && top.sizeBytes === 0));
    return isOfIt ? (rest.pop() ?? null) : null;
  });
}
