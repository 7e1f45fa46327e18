import { expect, test } from 'vitest';
import { machineState, type Operation } from '../../desktop/contract/machines.ts';
import { offeredMachineActions } from './machine-actions.ts';

const running = { state: 'running' } as Operation;

test.each([
  ['running', ['stop', 'kill', 'remove']],
  ['stopped', ['start', 'remove']],
  ['create-failed', ['resume', 'remove']],
  ['removing', []],
] as const)('a machine that is %s offers %j', (state, actions) => {
  expect(offeredMachineActions({ state, operation: null })).toEqual(actions);
});

test('only what this program does itself can be cancelled by it', () => {
  expect(offeredMachineActions({ state: 'starting', operation: null })).toEqual([]);
  expect(offeredMachineActions({ state: 'starting', operation: running })).toEqual(['cancel']);
});

test('every state has an answer', () => {
  for (const state of machineState.options)
    expect(offeredMachineActions({ state, operation: null })).toBeInstanceOf(Array);
});
