import type { EngineConnection } from '../../desktop/contract/engine.ts';
import type { Machine, Operation, Step } from '../../desktop/contract/machines.ts';
import { bringUpVerb, isBringingUp, withStepsToCome, type PlannedStep } from './steps-to-come.ts';

/**
 * What the first screen shows: whether there is a machine at all, how far it has come, and when it can be left. It is
 * there for as long as there is nothing to work with; from then on the list of containers is the better place.
 */
export type StartView =
  /** The machine works, or the user has other machines to work with. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'no-machine'; readonly machine: string }
  | (StartProgress & { readonly kind: 'coming-up'; readonly operation: Operation | null })
  | (StartProgress & { readonly kind: 'failed'; readonly reason: string });

export interface StartProgress {
  readonly machine: string;
  readonly verb: 'create' | 'start';
  readonly steps: readonly Step[];
  /** The same for one attempt from its beginning to its end: who left the screen is not called back before the next one. */
  readonly attempt: string;
}

export interface StartFacts {
  readonly machines: readonly Machine[];
  readonly engines: readonly EngineConnection[];
  readonly defaultMachine: string;
  /** Titles of steps that have not begun; `connect` is the page's own last one, the engine's first answer. */
  readonly titles: Readonly<Record<PlannedStep | 'connect', string>>;
  readonly now: number;
}

export function startView(facts: StartFacts): StartView {
  const { machines, engines, defaultMachine } = facts;
  const machine = machines.find(({ name }) => name === defaultMachine) ?? machines[0];
  if (machine === undefined) return { kind: 'no-machine', machine: defaultMachine };
  const { name, state, operation } = machine;
  const isBeingMade = state === 'creating' || state === 'create-failed';
  const isAtWork = (engine: EngineConnection): boolean => engine.state === 'ready' || engine.state === 'stale';
  if (engines.some((engine) => isAtWork(engine) && !(isBeingMade && engine.machine === name))) return { kind: 'ready' };

  const steps = operation?.steps ?? [];
  const progress = {
    machine: name,
    verb: bringUpVerb(machine),
    attempt: operation?.id ?? `${name} without an operation`,
  } as const;
  const isForThis = isBringingUp(operation);
  if (operation?.state !== 'running' && (state === 'create-failed' || (isForThis && operation?.state === 'failed'))) {
    return { kind: 'failed', ...progress, steps, reason: operation?.error?.message ?? machine.error ?? '' };
  }
  const engine = engines.find((connection) => connection.machine === name);
  const isJustUp = state === 'running' && isForThis && engine?.state === 'connecting';
  if (state === 'creating' || state === 'starting' || isJustUp) {
    const way = withStepsToCome({ steps, verb: progress.verb, titles: facts.titles });
    return { kind: 'coming-up', ...progress, operation, steps: [...way, connecting(facts, machine, operation)] };
  }
  // Stopped on purpose, or broken later: the list of containers and the machine's page say it better.
  return { kind: 'ready' };
}

/** How far all steps together have come, 0 to 1, or null without any step. A step that cannot say counts half while it runs. */
export function totalFraction(steps: readonly Step[]): number | null {
  if (steps.length === 0) return null;
  const parts = steps.map((step) => {
    if (step.state === 'done' || step.state === 'skipped') return 1;
    return step.state === 'running' ? (step.fraction ?? 0.5) : 0;
  });
  return parts.reduce((sum, part) => sum + part, 0) / steps.length;
}

function connecting({ engines, titles, now }: StartFacts, machine: Machine, operation: Operation | null): Step {
  const engine = engines.find((connection) => connection.machine === machine.name);
  const isUnderWay = operation?.state !== 'running' && engine?.state === 'connecting';
  return {
    step: 'connect',
    title: titles.connect,
    state: isUnderWay ? 'running' : 'waiting',
    fraction: null,
    detail: null,
    elapsedMs: engine?.state === 'connecting' && isUnderWay ? Math.max(0, now - engine.since) : 0,
  };
}
