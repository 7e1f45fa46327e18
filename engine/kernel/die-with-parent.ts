import { systemCall } from './libc.ts';

const prctl = systemCall<[number, number, number, number, number]>(
  'int prctl(int option, ulong a, ulong b, ulong c, ulong d)',
);
const setParentDeathSignal = 1;
const sigKill = 9;

/**
 * This process ends at once when its parent does, also in the middle of synchronous work: a program that still wrote below the
 * data root would be in the way of the next engine, which tidies there. Source: prctl(2), PR_SET_PDEATHSIG.
 */
export function dieWithParent(): void {
  const parent = process.ppid;
  prctl('PR_SET_PDEATHSIG', setParentDeathSignal, sigKill, 0, 0, 0);
  // It may have ended before that.
  if (process.ppid !== parent) process.exit(0);
}
