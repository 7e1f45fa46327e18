import { expect, it } from 'vitest';
import type { HealthcheckSpec } from '../spec/spec.ts';
import { afterProbe, type Health, nextProbeMs, type ProbePlan, probePlan } from './health.ts';

const spec: HealthcheckSpec = {
  test: ['CMD', 'probe', '-x'],
  intervalNs: 0,
  timeoutNs: 0,
  startPeriodNs: 0,
  startIntervalNs: 0,
  retries: 0,
};
const plan: ProbePlan = {
  command: ['probe'],
  intervalMs: 1000,
  timeoutMs: 500,
  startPeriodMs: 5000,
  startIntervalMs: 100,
  retries: 3,
};
const starting: Health = { status: 'starting', failingStreak: 0, log: [] };
const at = '2026-11-21T12:00:00Z';
/** Probes with these exit codes, each a second after the one before, the first a second after the start. */
const after = (health: Health, exitCodes: readonly number[], firstMs = 1000): Health =>
  exitCodes.reduce(
    (known, exitCode, index) =>
      afterProbe(plan, known, {
        result: { startedAt: at, endedAt: at, exitCode, output: String(index) },
        runningMs: firstMs + index * 1000,
      }),
    health,
  );

it('44: has docker’s defaults', () => {
  expect(probePlan(spec, null)).toEqual({
    command: ['probe', '-x'],
    intervalMs: 30_000,
    timeoutMs: 30_000,
    startPeriodMs: 0,
    startIntervalMs: 5000,
    retries: 3,
  });
});

it.each([
  [['CMD-SHELL', 'exit 1'], null, ['/bin/sh', '-c', 'exit 1']],
  [
    ['CMD-SHELL', 'exit 1'],
    ['/bin/bash', '-ec'],
    ['/bin/bash', '-ec', 'exit 1'],
  ],
  [
    ['CMD', 'a', 'b'],
    ['/bin/bash', '-ec'],
    ['a', 'b'],
  ],
  [['NONE'], null, undefined],
  [['ODD', 'x'], null, undefined],
  [[], null, undefined],
])('runs for %j with the shell %j: %j', (test, shell, command) => {
  expect(probePlan({ ...spec, test }, shell)?.command).toEqual(command);
});

it('44: is healthy with the first success, and unhealthy after enough failures in a row', () => {
  expect(after(starting, [0]).status).toBe('healthy');
  const healthy = after(starting, [0], 10_000);
  expect(after(healthy, [1, 1], 11_000)).toMatchObject({ status: 'healthy', failingStreak: 2 });
  expect(after(healthy, [1, 1, 0, 1, 1], 11_000)).toMatchObject({ status: 'healthy', failingStreak: 2 });
  expect(after(healthy, [1, 1, 1], 11_000)).toMatchObject({ status: 'unhealthy', failingStreak: 3 });
  expect(after(healthy, [1, 1, 1, 0], 11_000)).toMatchObject({ status: 'healthy', failingStreak: 0 });
});

it('44: does not count failures within the start period, until the first success', () => {
  expect(after(starting, [1, 1, 1, 1])).toMatchObject({ status: 'starting', failingStreak: 0 });
  expect(after(starting, [1, 1, 1, 1, 1, 1, 1])).toMatchObject({ status: 'unhealthy', failingStreak: 3 });
  expect(after(starting, [0, 1, 1, 1])).toMatchObject({ status: 'unhealthy', failingStreak: 3 });
});

it('44: keeps the last five results', () => {
  expect(after(starting, [0, 1, 2, 3, 4, 5, 6]).log.map(({ exitCode }) => exitCode)).toEqual([2, 3, 4, 5, 6]);
});

it('probes more often only while it starts, within the start period', () => {
  expect(nextProbeMs(plan, 'starting', 0)).toBe(100);
  expect(nextProbeMs(plan, 'starting', 5000)).toBe(1000);
  expect(nextProbeMs(plan, 'healthy', 0)).toBe(1000);
});
