import type { Container, ContainerState } from '../../desktop/contract/containers.ts';
import type { SortChoice } from '../lists/sort-choice.ts';

/** What the list of containers shows, and in which order. Pure, so that 10 000 rows and odd names are a matter of tests. */
export interface TableChoice {
  /** Words that must all occur, in any letter case, in name, image, id, command, machine, state or a port. */
  readonly search: string;
  readonly onlyRunning: boolean;
  readonly sort: SortChoice<SortColumn>;
}

export type SortColumn = 'name' | 'state' | 'created';

/** Columns that begin with the newest. */
export const downFirst: readonly SortColumn[] = ['created'];

/** Those that live count as running: a paused or restarting one holds memory and ports too. */
export function isRunning(state: ContainerState): boolean {
  return state === 'running' || state === 'paused' || state === 'restarting';
}

export function containerKeyText(key: { readonly machine: string; readonly id: string }): string {
  return `${key.machine}/${key.id}`;
}

export function visibleContainers(rows: readonly Container[], choice: TableChoice): readonly Container[] {
  const words = choice.search.toLowerCase().split(/\s+/).filter(Boolean);
  const shown = rows.filter(
    (row) => (!choice.onlyRunning || isRunning(row.state)) && words.every((word) => mentions(row, word)),
  );
  const { column, direction } = choice.sort;
  const sign = direction === 'ascending' ? 1 : -1;
  return shown.sort((a, b) => sign * compare[column](a, b) || byName(a, b) || (a.id < b.id ? -1 : 1));
}

const names = new Intl.Collator('en', { numeric: true, sensitivity: 'base' });
const byName = (a: Container, b: Container): number =>
  names.compare(a.name, b.name) || names.compare(a.machine, b.machine);

/** Live ones first, then those that never ran, then those that ended. */
const stateRank: Record<ContainerState, number> = {
  running: 0,
  restarting: 1,
  paused: 2,
  created: 3,
  removing: 4,
  exited: 5,
  dead: 6,
};

const compare: Record<SortColumn, (a: Container, b: Container) => number> = {
  name: byName,
  state: (a, b) => stateRank[a.state] - stateRank[b.state],
  created: (a, b) => a.createdAt - b.createdAt,
};

function mentions(row: Container, word: string): boolean {
  return (
    row.name.toLowerCase().includes(word) ||
    row.image.toLowerCase().includes(word) ||
    row.id.startsWith(word) ||
    row.state.startsWith(word) ||
    row.machine.toLowerCase().includes(word) ||
    row.command.toLowerCase().includes(word) ||
    row.ports.some((port) => String(port.containerPort) === word || String(port.published?.port) === word)
  );
}
