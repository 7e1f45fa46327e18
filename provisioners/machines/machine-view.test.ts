import { describe, expect, it } from 'vitest';
import type { DriverState } from '../drivers/driver.ts';
import type { MachineState } from '../machines.ts';
import type { Lifecycle } from '../store/machine-document.ts';
import type { LockVerb } from '../store/machine-lock.ts';
import { machineState } from './machine-view.ts';

const ready: Lifecycle = { phase: 'ready' };
const creating = (error: string | null = null): Lifecycle => ({ phase: 'creating', done: [], error });
const removing = (error: string | null = null): Lifecycle => ({ phase: 'removing', error });

describe('the state of a machine', () => {
  it.each<[Lifecycle, LockVerb | null, DriverState | null, MachineState, RegExp | null]>([
    [ready, null, 'running', 'running', null],
    [ready, null, 'stopped', 'stopped', null],
    [ready, null, 'absent', 'unknown', /is gone/],
    [ready, null, null, 'unknown', /no driver/],
    [ready, 'start', 'stopped', 'starting', null],
    [ready, 'start', 'running', 'starting', null],
    [ready, 'stop', 'running', 'stopping', null],
    [ready, 'kill', 'running', 'stopping', null],
    [ready, 'remove', 'running', 'removing', null],
    [creating(), 'create', 'absent', 'creating', null],
    [creating('no space'), 'create', 'stopped', 'creating', null],
    [creating('no space'), null, 'stopped', 'create-failed', /no space/],
    [creating(), null, 'running', 'create-failed', /interrupted/],
    [removing(), 'remove', 'stopped', 'removing', null],
    [removing('no network'), null, 'absent', 'remove-failed', /no network/],
    [removing(), null, 'absent', 'remove-failed', /interrupted/],
  ])('that is %j, worked on by %s, and to its driver %s, is %s', (lifecycle, verb, state, expected, why) => {
    const found = machineState({
      document: { lifecycle },
      verb,
      asked: { state, trouble: state === null ? 'no driver' : null },
    });
    expect(found.state).toBe(expected);
    if (why === null) expect(found.error).toBeNull();
    else expect(found.error).toMatch(why);
  });
});
