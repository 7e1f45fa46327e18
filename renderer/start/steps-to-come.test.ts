import { expect, test } from 'vitest';
import type { Step } from '../../desktop/contract/machines.ts';
import { withStepsToCome } from './steps-to-come.ts';

const titles = { 'make-machine': 'Making', boot: 'Starting', 'deploy-engine': 'Deploying', 'host-agent': 'Connecting' };
const begun = (...names: readonly string[]): readonly Step[] =>
  names.map((step) => ({ step, title: step, state: 'running', fraction: null, detail: null, elapsedMs: 0 }));
const shown = (verb: 'create' | 'start', ...names: readonly string[]) =>
  withStepsToCome({ steps: begun(...names), verb, titles }).map(({ step, state }) =>
    state === 'waiting' ? `(${step})` : step,
  );

test('the whole way is shown before the first step', () => {
  expect(shown('create')).toEqual(['(make-machine)', '(boot)', '(deploy-engine)', '(host-agent)']);
  expect(shown('start')).toEqual(['(boot)', '(deploy-engine)', '(host-agent)']);
});

test('steps that nobody planned stand where they came', () => {
  expect(shown('create', 'image-packages', 'make-machine')).toEqual([
    'image-packages',
    'make-machine',
    '(boot)',
    '(deploy-engine)',
    '(host-agent)',
  ]);
});

test('a step that was not needed goes away when a later one begins', () => {
  expect(shown('start', 'boot', 'host-agent')).toEqual(['boot', 'host-agent']);
});
