import { expect, test } from 'vitest';
import { ability } from '../../desktop/contract/drivers.ts';
import { machineState, type Operation } from '../../desktop/contract/machines.ts';
import { offeredMachineActions } from './machine-actions.ts';

const running = { state: 'running' } as Operation;
const plain = { operation: null, abilities: [] };
const able = { operation: null, abilities: [...ability.options] };

test.each([
  ['running', ['stop', 'upgrade', 'kill', 'remove']],
  ['stopped', ['start', 'remove']],
  ['paused', ['resume', 'kill', 'remove']],
  ['create-failed', ['bring-up', 'remove']],
  ['removing', []],
] as const)('a machine that is %s offers %j', (state, actions) => {
  expect(offeredMachineActions({ ...plain, state })).toEqual(actions);
});

test.each([
  ['running', ['stop', 'pause', 'suspend', 'resize', 'upgrade', 'kill', 'remove']],
  ['stopped', ['start', 'resize', 'clone', 'export', 'remove']],
] as const)('one that is %s and whose driver can do all offers %j', (state, actions) => {
  expect(offeredMachineActions({ ...able, state })).toEqual(actions);
});

test('only what this program does itself can be cancelled by it', () => {
  expect(offeredMachineActions({ ...plain, state: 'starting' })).toEqual([]);
  expect(offeredMachineActions({ ...plain, state: 'starting', operation: running })).toEqual(['cancel']);
});

test('while something is done to it nothing else is offered', () => {
  expect(offeredMachineActions({ ...able, state: 'stopped', operation: running })).toEqual(['cancel']);
});

test('every state has an answer', () => {
  for (const state of machineState.options) expect(offeredMachineActions({ ...plain, state })).toBeInstanceOf(Array);
});
