import { expect, test } from 'vitest';
import type { EngineConnection } from '../../desktop/contract/engine.ts';
import type { Machine } from '../../desktop/contract/machines.ts';
import { listView, type ListViewFacts } from './list-view.ts';

const error = { code: 'engine-unreachable', message: 'no answer' } as const;
const ready: EngineConnection = { machine: 'default', state: 'ready', engineVersion: '1', apiVersion: '1.55' };
const away: EngineConnection = { machine: 'default', state: 'stale', since: 5, retryAt: 9, error };
const failed: EngineConnection = { machine: 'default', state: 'failed', since: 5, retryAt: 9, error };
const machine = { name: 'default', state: 'stopped' } as Machine;

const view = (facts: Partial<ListViewFacts>) =>
  listView({
    status: { kind: 'live' },
    engines: [ready],
    enginesStatus: { kind: 'live' },
    machines: [machine],
    defaultMachine: 'default',
    rowCount: 0,
    shownCount: 0,
    ...facts,
  });

test('nothing known yet is loading, not empty', () => {
  expect(view({ status: { kind: 'loading' } })).toEqual({ kind: 'loading' });
  expect(view({ enginesStatus: { kind: 'loading' } })).toEqual({ kind: 'loading' });
  expect(view({ engines: [{ machine: 'default', state: 'connecting', since: 0 }] })).toEqual({ kind: 'loading' });
});

test('a list without rows is empty only when an engine said so', () => {
  expect(view({})).toEqual({ kind: 'empty' });
  expect(view({ engines: [failed] })).toEqual({ kind: 'failed', error, machine: 'default' });
  expect(view({ engines: [away] })).toEqual({ kind: 'failed', error, machine: 'default' });
});

test('a stopped machine is offered to be started', () => {
  expect(view({ engines: [{ machine: 'default', state: 'off' }] })).toEqual({ kind: 'off', machine });
  expect(view({ engines: [], machines: [] })).toEqual({ kind: 'off', machine: null });
});

test('rows whose engine is away are shown with their age', () => {
  expect(view({ engines: [away], rowCount: 3, shownCount: 3 })).toEqual({
    kind: 'rows',
    stale: { since: 5, reason: 'no answer', machine: 'default' },
  });
});

test('rows survive the loss of the page its own line', () => {
  const status = { kind: 'stale', since: 7, error: { code: 'disconnected', message: 'gone' } } as const;
  expect(view({ status, rowCount: 3, shownCount: 3 })).toEqual({
    kind: 'rows',
    stale: { since: 7, reason: 'gone', machine: null },
  });
  expect(view({ status })).toMatchObject({ kind: 'failed', machine: null });
});

test('rows that the search hides are no empty list', () => {
  expect(view({ rowCount: 3 })).toEqual({ kind: 'no-match' });
});
