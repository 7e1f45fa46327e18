import type { Container } from '../../desktop/contract/containers.ts';
import type { Image } from '../../desktop/contract/images.ts';
import type { SortChoice } from '../lists/sort-choice.ts';

export type SortColumn = 'name' | 'size' | 'created' | 'users';

/** Columns that begin with the largest or newest. */
export const downFirst: readonly SortColumn[] = ['size', 'created', 'users'];

/** One row: an image and who uses it. */
export interface ImageLine {
  readonly image: Image;
  readonly users: readonly Container[];
}

export interface ImageChoice {
  /** Words that must all occur, in any letter case, in a name, a digest, the id or the machine. */
  readonly search: string;
  readonly onlyUnused: boolean;
  readonly sort: SortChoice<SortColumn>;
}

export function imageKeyText(key: { readonly machine: string; readonly id: string }): string {
  return `${key.machine}/${key.id}`;
}

/** What people call it: its first name, else the beginning of its id. */
export function titleOf(image: Image): string {
  return image.names[0] ?? shortId(image.id);
}

export function shortId(id: string): string {
  return id.replace(/^sha256:/, '').slice(0, 12);
}

export function linesOf(images: readonly Image[], containers: readonly Container[]): readonly ImageLine[] {
  const users = new Map<string, Container[]>();
  for (const container of containers) {
    const key = imageKeyText({ machine: container.machine, id: container.imageId });
    const list = users.get(key);
    if (list === undefined) users.set(key, [container]);
    else list.push(container);
  }
  return images.map((image) => ({ image, users: users.get(imageKeyText(image)) ?? [] }));
}

export function visibleImages(lines: readonly ImageLine[], choice: ImageChoice): readonly ImageLine[] {
  const words = choice.search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = lines.filter(
    ({ image, users }) => (!choice.onlyUnused || users.length === 0) && words.every((word) => mentions(image, word)),
  );
  const { column, direction } = choice.sort;
  const sign = direction === 'ascending' ? 1 : -1;
  return shown.sort((a, b) => sign * compare[column](a, b) || byName(a, b) || (a.image.id < b.image.id ? -1 : 1));
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });

/** Images without a name come last. */
const byName = (a: ImageLine, b: ImageLine): number =>
  Number(a.image.names.length === 0) - Number(b.image.names.length === 0) ||
  collator.compare(titleOf(a.image), titleOf(b.image)) ||
  collator.compare(a.image.machine, b.image.machine);

const compare: Record<SortColumn, (a: ImageLine, b: ImageLine) => number> = {
  name: byName,
  size: (a, b) => a.image.sizeBytes - b.image.sizeBytes,
  created: (a, b) => (a.image.createdAt ?? 0) - (b.image.createdAt ?? 0),
  users: (a, b) => a.users.length - b.users.length,
};

function mentions({ names, digests, id, machine }: Image, word: string): boolean {
  return (
    names.some((name) => name.toLowerCase().includes(word)) ||
    digests.some((digest) => digest.includes(word)) ||
    id.replace('sha256:', '').startsWith(word.replace('sha256:', '')) ||
    machine.toLowerCase().includes(word)
  );
}
