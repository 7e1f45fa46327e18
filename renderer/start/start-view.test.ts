import { expect, test } from 'vitest';
import type { EngineConnection } from '../../desktop/contract/engine.ts';
import type { Machine, Operation, Step } from '../../desktop/contract/machines.ts';
import { startView, totalFraction } from './start-view.ts';

const step = (fields: Partial<Step>): Step => ({
  step: 'boot',
  title: 'Starting the machine',
  state: 'running',
  fraction: null,
  detail: null,
  elapsedMs: 10,
  ...fields,
});
const operation = (fields: Partial<Operation>): Operation => ({
  id: '1',
  verb: 'ensure-running',
  state: 'running',
  startedAt: 0,
  elapsedMs: 0,
  steps: [step({})],
  error: null,
  ...fields,
});
const machine = (fields: Partial<Machine>): Machine => ({
  name: 'default',
  driver: 'qemu',
  state: 'creating',
  error: null,
  settings: null,
  abilities: [],
  createdAt: null,
  dockerHost: null,
  dockerContext: null,
  engineVersion: null,
  address: null,
  connection: null,
  resources: [],
  logs: [],
  facts: {},
  operation: null,
  ...fields,
});
const ready: EngineConnection = { machine: 'default', state: 'ready', engineVersion: '1', apiVersion: '1.55' };
const view = (machines: readonly Machine[], engines: readonly EngineConnection[] = []) =>
  startView({
    machines,
    engines,
    defaultMachine: 'default',
    titles: {
      'make-machine': 'Making',
      boot: 'Starting',
      'deploy-engine': 'Deploying',
      'host-agent': 'Connecting',
      connect: 'Asking',
    },
    now: 1_000,
  });

test('without any machine the first screen offers to make one', () => {
  expect(view([])).toEqual({ kind: 'no-machine', machine: 'default' });
});

test('a machine being made shows its steps, and the connection as the one to come', () => {
  const shown = view([machine({ operation: operation({}) })]);
  expect(shown).toMatchObject({ kind: 'coming-up', verb: 'create' });
  expect(shown.kind === 'coming-up' && shown.steps.map(({ step: name, state }) => [name, state])).toEqual([
    ['boot', 'running'],
    ['deploy-engine', 'waiting'],
    ['host-agent', 'waiting'],
    ['connect', 'waiting'],
  ]);
});

test('when all steps are done and the engine has not answered yet, connecting is under way', () => {
  const done = operation({ state: 'done', steps: [step({ state: 'done' })] });
  const shown = view(
    [machine({ state: 'running', operation: done })],
    [{ machine: 'default', state: 'connecting', since: 400 }],
  );
  expect(shown.kind === 'coming-up' && shown.steps.at(-1)).toMatchObject({
    step: 'connect',
    state: 'running',
    elapsedMs: 600,
  });
});

test('a failure gives its reason, unless it is being tried again', () => {
  const error = { code: 'boot-failed', message: 'no sign of life' } as const;
  const failed = machine({ state: 'create-failed', operation: operation({ state: 'failed', error }) });
  expect(view([failed])).toMatchObject({ kind: 'failed', verb: 'create', reason: 'no sign of life' });
  expect(view([machine({ state: 'create-failed', error: 'left by a crash' })])).toMatchObject({
    kind: 'failed',
    reason: 'left by a crash',
  });
  expect(view([{ ...failed, state: 'creating', operation: operation({}) }])).toMatchObject({ kind: 'coming-up' });
});

test('a machine that works, or that was stopped on purpose, needs no first screen', () => {
  expect(view([machine({ state: 'running' })], [ready])).toEqual({ kind: 'ready' });
  expect(view([machine({ state: 'stopped', operation: operation({ verb: 'stop', state: 'done' }) })])).toEqual({
    kind: 'ready',
  });
  expect(
    view(
      [machine({ state: 'running' })],
      [{ machine: 'default', state: 'stale', since: 0, retryAt: 1, error: { code: 'internal', message: '' } }],
    ),
  ).toEqual({ kind: 'ready' });
});

test('a second machine that works keeps the page free while the first one starts', () => {
  expect(
    view(
      [machine({ state: 'starting' }), machine({ name: 'other', state: 'running' })],
      [{ ...ready, machine: 'other' }],
    ),
  ).toEqual({
    kind: 'ready',
  });
});

test('progress over all steps grows with each', () => {
  expect(totalFraction([])).toBeNull();
  expect(
    totalFraction([
      step({ state: 'done' }),
      step({ state: 'skipped' }),
      step({ fraction: 0.5 }),
      step({ state: 'waiting' }),
    ]),
  ).toBe(0.625);
});

test('a machine that is not the default one is shown by its own name', () => {
  expect(view([machine({ name: 'other' })])).toMatchObject({ kind: 'coming-up', machine: 'other' });
});

test('the engine of a machine that is still being made does not end the first screen early', () => {
  expect(view([machine({ operation: operation({}) })], [ready])).toMatchObject({ kind: 'coming-up' });
});

test('one attempt keeps its name from beginning to end, the next one has another', () => {
  const attempt = (state: Operation['state'], id: string) => {
    const shown = view([
      machine({ state: state === 'failed' ? 'create-failed' : 'creating', operation: operation({ id, state }) }),
    ]);
    return shown.kind === 'coming-up' || shown.kind === 'failed' ? shown.attempt : null;
  };
  expect(attempt('running', '1')).toBe(attempt('failed', '1'));
  expect(attempt('running', '2')).not.toBe(attempt('failed', '1'));
});
