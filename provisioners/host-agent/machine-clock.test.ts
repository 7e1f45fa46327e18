import { describe, expect, it } from 'vitest';
import { LocalLine } from '../line/local-line.ts';
import type { CommandResult } from '../line/line.ts';
import { setMachineClock } from './machine-clock.ts';

const signal = new AbortController().signal;

/** A machine with a clock of its own. */
class ClockLine extends LocalLine {
  seconds: number;

  constructor(seconds: number) {
    super();
    this.seconds = seconds;
  }

  override run(command: string): Promise<CommandResult> {
    const given = /date -u -s @(\d+)/.exec(command)?.[1];
    if (given !== undefined) this.seconds = Number(given);
    return Promise.resolve({ stdout: `${this.seconds}\n`, stderr: '', exitCode: 0, signal: null });
  }
}

describe("a machine's clock", () => {
  it.each([
    [1_000, true, 9_000, 10_000],
    [20_000, true, -10_000, 10_000],
    [9_999, false, 1, 9_999],
  ])('at %d is set: %s', async (seconds, isSet, driftSeconds, after) => {
    await using line = new ClockLine(seconds);
    const result = await setMachineClock(line, { now: () => 10_000_000, signal });
    expect({ ...result, after: line.seconds }).toEqual({ isSet, driftSeconds, after });
  });
});
