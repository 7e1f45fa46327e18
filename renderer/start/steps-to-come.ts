import type { Machine, Operation, Step } from '../../desktop/contract/machines.ts';

/**
 * What a machine still has before it. Reports tell of steps when they begin; a person wants to see the whole way. The
 * names are those of the provisioner's steps; one that turns out not to be needed goes away as soon as a later one begins,
 * and one that is not listed here appears when it comes.
 */
export type PlannedStep = 'make-machine' | 'boot' | 'deploy-engine' | 'host-agent';

const plans: Readonly<Record<'create' | 'start', readonly PlannedStep[]>> = {
  create: ['make-machine', 'boot', 'deploy-engine', 'host-agent'],
  start: ['boot', 'deploy-engine', 'host-agent'],
};

export function withStepsToCome(options: {
  readonly steps: readonly Step[];
  readonly verb: 'create' | 'start';
  readonly titles: Readonly<Record<PlannedStep, string>>;
}): readonly Step[] {
  const { steps, verb, titles } = options;
  const plan = plans[verb];
  const reached = Math.max(
    -1,
    ...plan.map((planned, index) => (steps.some(({ step }) => step === planned) ? index : -1)),
  );
  const toCome = plan
    .slice(reached + 1)
    .map((step): Step => ({ step, title: titles[step], state: 'waiting', fraction: null, detail: null, elapsedMs: 0 }));
  return [...steps, ...toCome];
}

const bringingUp: readonly Operation['verb'][] = ['create', 'start', 'ensure-running'];

/** Whether that operation ends with a machine that runs. */
export function isBringingUp(operation: Operation | null): boolean {
  return operation !== null && bringingUp.includes(operation.verb);
}

/** Whether the machine is being made, rather than started again. */
export function bringUpVerb({ state, operation }: Pick<Machine, 'state' | 'operation'>): 'create' | 'start' {
  return state === 'creating' || state === 'create-failed' || operation?.verb === 'create' ? 'create' : 'start';
}

/** The steps of what is being done to a machine, those to come among them where they are known. */
export function stepsOf(
  machine: Pick<Machine, 'state' | 'operation'>,
  titles: Readonly<Record<PlannedStep, string>>,
): readonly Step[] {
  const { operation } = machine;
  const steps = operation?.steps ?? [];
  if (operation?.state !== 'running' || !isBringingUp(operation)) return steps;
  return withStepsToCome({ steps, verb: bringUpVerb(machine), titles });
}
