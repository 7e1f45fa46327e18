import type { EngineConnection } from '../../desktop/contract/engine.ts';
import type { ErrorShape } from '../../desktop/contract/errors.ts';
import type { Machine } from '../../desktop/contract/machines.ts';
import type { ListStatus } from './follow-list.ts';

/**
 * Which of its states a list from the engines is in. A slow or broken engine must never look like "nothing is there", so
 * rows, their age and the reason for their absence are told apart here, in one place.
 */
export type ListView =
  | { readonly kind: 'loading' }
  /** Nothing to show, and why; `machine` is the one to try again with, null when the page itself has no line to its core. */
  | { readonly kind: 'failed'; readonly error: ErrorShape; readonly machine: string | null }
  /** No machine runs; `machine` is the one to start. */
  | { readonly kind: 'off'; readonly machine: Machine | null }
  | { readonly kind: 'empty' }
  | { readonly kind: 'no-match' }
  /** `stale`: since when the rows (of that machine) are only what was known then. */
  | { readonly kind: 'rows'; readonly stale: StaleNote | null };

export interface StaleNote {
  readonly since: number;
  readonly reason: string;
  readonly machine: string | null;
}

export interface ListViewFacts {
  readonly status: ListStatus;
  readonly engines: readonly EngineConnection[];
  readonly enginesStatus: ListStatus;
  readonly machines: readonly Machine[];
  readonly defaultMachine: string | null;
  readonly rowCount: number;
  readonly shownCount: number;
}

export function listView(facts: ListViewFacts): ListView {
  const { status, engines, rowCount, shownCount } = facts;
  if (status.kind === 'loading' || (facts.enginesStatus.kind === 'loading' && rowCount === 0))
    return { kind: 'loading' };
  if (status.kind === 'failed') return { kind: 'failed', error: status.error, machine: null };
  const stale = staleNote(facts);
  if (rowCount > 0) return shownCount > 0 ? { kind: 'rows', stale } : { kind: 'no-match' };
  if (status.kind === 'stale') return { kind: 'failed', error: status.error, machine: null };
  if (engines.some((engine) => engine.state === 'ready')) return { kind: 'empty' };
  const broken = engines.find((engine) => engine.state === 'failed' || engine.state === 'stale');
  if (broken?.state === 'failed' || broken?.state === 'stale')
    return { kind: 'failed', error: broken.error, machine: broken.machine };
  if (engines.some((engine) => engine.state === 'connecting')) return { kind: 'loading' };
  const machine = facts.machines.find(({ name }) => name === facts.defaultMachine) ?? facts.machines[0] ?? null;
  return { kind: 'off', machine };
}

function staleNote({ status, engines }: ListViewFacts): StaleNote | null {
  if (status.kind === 'stale') return { since: status.since, reason: status.error.message, machine: null };
  const away = engines.find((engine) => engine.state === 'stale');
  return away?.state === 'stale' ? { since: away.since, reason: away.error.message, machine: away.machine } : null;
}
