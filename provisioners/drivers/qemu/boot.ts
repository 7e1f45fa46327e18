import { MachineError } from '../../machines.ts';
import type { DriverRun } from '../driver.ts';
import type { Accelerator, AcceleratorMemory } from './accelerators.ts';
import { describeAccelerator } from './accelerators.ts';
import type { BootOutcome, BootPatience } from './boot-attempt.ts';

/**
 * The policy of a start: which accelerator to try, when to try the same again, when to fall back, when to give up. It
 * decides on outcomes alone and starts nothing itself, so that a table of outcomes tests it.
 */
export interface BootPlan {
  readonly candidates: readonly Accelerator[];
  readonly memory: AcceleratorMemory | null;
  readonly run: DriverRun;
  readonly attempt: (
    accelerator: Accelerator,
    patience: BootPatience,
  ) => Promise<BootOutcome & { readonly lastLines: readonly string[] }>;
}

export interface Booted {
  readonly accelerator: Accelerator;
  readonly elapsedMs: number;
  readonly isContinued: boolean;
  /** Boots of this start that hung or died and were repeated. */
  readonly repeatedBoots: number;
  readonly passedOver: readonly string[];
  /** The accelerator was not known to work before: worth remembering. */
  readonly isNews: boolean;
}

/** A guest under emulation on a busy computer takes seconds for what takes one under hardware acceleration milliseconds. */
const patienceOf = (accelerator: Accelerator): BootPatience =>
  accelerator.name === 'tcg'
    ? { firstSignMs: 20_000, nextStageMs: 30_000 }
    : { firstSignMs: 4_000, nextStageMs: 15_000 };

/** How often one accelerator may fail before it counts as one that does not work. Emulation, the last resort, gets more. */
const triesUnproven = 1;
const triesProven = 3;
const triesOfLastResort = 4;

const portTries = 10;

export async function bootGuest(plan: BootPlan): Promise<Booted> {
  const { memory, run } = plan;
  const proven = memory?.chosen ?? null;
  // What was found to work goes first; should it stop working, the others are asked again.
  const order =
    proven === null ? plan.candidates : [proven, ...plan.candidates.filter((other) => !isSame(other, proven))];
  const passedOver: string[] = [];
  let repeatedBoots = 0;
  let last: { readonly why: string; readonly lastLines: readonly string[] } = {
    why: 'there is no accelerator',
    lastLines: [],
  };
  for (const accelerator of order) {
    const isProven = proven !== null && isSame(accelerator, proven);
    const isLastResort = accelerator.name === 'tcg';
    const tries = isLastResort ? triesOfLastResort : isProven ? triesProven : triesUnproven;
    for (let tryNumber = 1, takenPorts = 0; tryNumber <= tries; tryNumber++) {
      run.signal.throwIfAborted();
      const outcome = await plan.attempt(accelerator, patienceOf(accelerator));
      if (outcome.kind === 'booted') {
        const { elapsedMs, isContinued } = outcome;
        const known = isProven ? (memory?.passedOver ?? []) : [];
        return {
          accelerator,
          elapsedMs,
          isContinued,
          repeatedBoots,
          passedOver: [...known, ...passedOver],
          isNews: !isProven,
        };
      }
      if (outcome.kind === 'port-taken') {
        // Somebody took the port between looking and listening; that says nothing about the machine.
        if (++takenPorts > portTries)
          throw new MachineError('boot-failed', 'No free port of this computer could be given to QEMU');
        tryNumber--;
        continue;
      }
      if (outcome.kind === 'not-continued') {
        // That memory is gone now, so the next try is a boot.
        run.tell({ detail: `its prepared memory does not bring it up: ${firstLine(outcome.why)}` });
        repeatedBoots++;
        tryNumber--;
        continue;
      }
      if (outcome.kind === 'gave-up') throw bootFailed(outcome.why, outcome.lastLines);
      last = { why: outcome.why, lastLines: outcome.lastLines };
      run.tell({ detail: `${describeAccelerator(accelerator)}: ${firstLine(outcome.why)}` });
      if (outcome.kind === 'refused') break;
      if (isProven || isLastResort) repeatedBoots++;
    }
    passedOver.push(`${describeAccelerator(accelerator)}: ${firstLine(last.why)}`);
  }
  throw bootFailed(last.why, last.lastLines);
}

function isSame(one: Accelerator, other: Accelerator): boolean {
  return one.name === other.name && one.cpu === other.cpu;
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text;
}

function bootFailed(why: string, lastLines: readonly string[]): MachineError {
  const console =
    lastLines.length === 0 ? 'Its console stayed empty.' : `Its console ended with:\n${lastLines.join('\n')}`;
  return new MachineError('boot-failed', `The machine did not start: ${why}\n${console}`);
}
