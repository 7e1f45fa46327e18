import type { EngineConnection } from '../../desktop/contract/engine.ts';
import type { Machine, Operation, Step } from '../../desktop/contract/machines.ts';

/**
 * What the first screen shows: whether there is a machine at all, how far it has come, and when it can be left. It is
 * there for as long as there is nothing to work with; from then on the list of containers is the better place.
 */
export type StartView =
  /** The machine works, or the user has other machines to work with. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'no-machine' }
  | {
      readonly kind: 'coming-up';
      readonly verb: 'create' | 'start';
      readonly operation: Operation | null;
      readonly steps: readonly Step[];
    }
  | {
      readonly kind: 'failed';
      readonly verb: 'create' | 'start';
      readonly reason: string;
      readonly steps: readonly Step[];
    };

export interface StartFacts {
  readonly machines: readonly Machine[];
  readonly engines: readonly EngineConnection[];
  readonly defaultMachine: string;
  /** The title of the last step, which is the page's own: the engine's first answer. */
  readonly connectTitle: string;
  readonly now: number;
}

export function startView(facts: StartFacts): StartView {
  const { machines, engines, defaultMachine } = facts;
  const machine = machines.find(({ name }) => name === defaultMachine) ?? machines[0];
  if (machine === undefined) return { kind: 'no-machine' };
  const isWorking = engines.some(({ state }) => state === 'ready' || state === 'stale');
  if (isWorking && machine.state !== 'creating' && machine.state !== 'create-failed') return { kind: 'ready' };
  const { operation } = machine;
  const verb =
    machine.state === 'creating' || machine.state === 'create-failed' || operation?.verb === 'create'
      ? 'create'
      : 'start';
  const steps = operation?.steps ?? [];
  const hasFailed = machine.state === 'create-failed' || (operation?.state === 'failed' && isBringingUp(operation));
  if (hasFailed && operation?.state !== 'running') {
    return { kind: 'failed', verb, reason: operation?.error?.message ?? machine.error ?? '', steps };
  }
  if (machine.state === 'creating' || machine.state === 'starting') {
    return { kind: 'coming-up', verb, operation, steps: [...steps, connecting(facts, machine, operation)] };
  }
  const engine = engines.find((connection) => connection.machine === machine.name);
  const isJustUp =
    machine.state === 'running' && operation !== null && isBringingUp(operation) && engine?.state === 'connecting';
  if (isJustUp) return { kind: 'coming-up', verb, operation, steps: [...steps, connecting(facts, machine, operation)] };
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

function isBringingUp(operation: Operation): boolean {
  return operation.verb === 'create' || operation.verb === 'start' || operation.verb === 'ensure-running';
}

function connecting({ engines, connectTitle, now }: StartFacts, machine: Machine, operation: Operation | null): Step {
  const engine = engines.find((connection) => connection.machine === machine.name);
  const isUnderWay = operation?.state !== 'running' && engine?.state === 'connecting';
  return {
    step: 'connect',
    title: connectTitle,
    state: isUnderWay ? 'running' : 'waiting',
    fraction: null,
    detail: null,
    elapsedMs: engine?.state === 'connecting' && isUnderWay ? Math.max(0, now - engine.since) : 0,
  };
}
