import { expect, it } from 'vitest';
import { type History, noHistory } from './history.ts';
import { restartDelayMs, startsAtBoot } from './restart-policy.ts';
import type { RestartPolicySpec } from '../spec/spec.ts';

const always: RestartPolicySpec = { name: 'always' };
const unlessStopped: RestartPolicySpec = { name: 'unless-stopped' };
const onFailure = (maxRetries: number): RestartPolicySpec => ({ name: 'on-failure', maxRetries });
const started: History = { ...noHistory, hasStarted: true };

/** The waits of a container that fails at once, again and again. */
function waits(policy: RestartPolicySpec, runs: number): readonly (number | null)[] {
  let history = started;
  return Array.from({ length: runs }, () => {
    const delayMs = restartDelayMs(policy, history, { exitCode: 1, durationMs: 5 });
    if (delayMs !== null) history = { ...history, restartCount: history.restartCount + 1, restartDelayMs: delayMs };
    return delayMs;
  });
}

it('23: waits 100 ms, then twice as long each time, up to a minute', () => {
  expect(waits(always, 12)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
  expect(waits(onFailure(3), 5)).toEqual([100, 200, 400, null, null]);
  expect(waits(onFailure(0), 3)).toEqual([100, 200, 400]);
  expect(waits({ name: 'no' }, 2)).toEqual([null, null]);
});

it('23: begins anew after ten seconds of running', () => {
  const late = { ...started, restartDelayMs: 12_800 };
  expect(restartDelayMs(always, late, { exitCode: 1, durationMs: 9_999 })).toBe(25_600);
  expect(restartDelayMs(always, late, { exitCode: 1, durationMs: 10_000 })).toBe(100);
});

it.each([
  ['always', always, {}, 0, true],
  ['always, signalled', always, { isManuallyStopped: true }, 0, true],
  ['always, ended by somebody', always, { isManuallyStopped: true, isRestartCancelled: true }, 137, false],
  ['unless-stopped', unlessStopped, {}, 0, true],
  ['unless-stopped, signalled', unlessStopped, { isManuallyStopped: true }, 1, false],
  ['on-failure after a success', onFailure(0), {}, 0, false],
  ['on-failure after a failure', onFailure(0), {}, 1, true],
] as const)('22: an exit is followed by a restart: %s', (_, policy, history, exitCode, expected) => {
  expect(restartDelayMs(policy, { ...started, ...history }, { exitCode, durationMs: 5 }) !== null).toBe(expected);
});

it.each([
  ['always, stopped', always, { isManuallyStopped: true, isRestartCancelled: true }, 0, true],
  ['always, never started', always, { hasStarted: false }, 0, false],
  ['unless-stopped, stopped', unlessStopped, { isManuallyStopped: true, isRestartCancelled: true }, 0, false],
  ['unless-stopped, not stopped', unlessStopped, {}, 0, true],
  ['on-failure, tried often enough', onFailure(2), { restartCount: 2 }, 1, false],
  ['no', { name: 'no' }, {}, 1, false],
] as const)('23: boot starts it: %s', (_, policy, history, exitCode, expected) => {
  expect(startsAtBoot(policy, { ...started, ...history }, exitCode)).toBe(expected);
});
