import { createInterface } from 'node:readline/promises';
import type { Machines } from '../../../provisioners/machines.ts';
import type { Operation } from '../../../provisioners/progress.ts';
import { flag } from '../../flags/flag.ts';
import { write, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context, Verb } from '../../verb.ts';
import { chosenMachines } from './chosen.ts';
import { operateOnEach } from './operation.ts';

/** A verb that does the same to each machine that is named. */
export function verbOnEach(spec: {
  readonly summary: string;
  readonly work: (machines: Machines, name: string, operation: Operation) => Promise<unknown>;
  readonly done: string;
}): Verb {
  return defineVerb({
    usage: '[NAME...]',
    summary: spec.summary,
    flags: {},
    async run({ args, context }) {
      const machines = await context.machines();
      const names = (await chosenMachines(machines, args)).map(({ name }) => name);
      return operateOnEach(context, names, {
        work: (name, operation) => spec.work(machines, name, operation),
        say: (name) => `Machine "${name}" was ${spec.done}.`,
      });
    },
  });
}

export const start = verbOnEach({
  summary: 'Start a machine',
  work: (machines, name, operation) => machines.start(name, operation),
  done: 'started',
});

export const stop = verbOnEach({
  summary: 'Stop a machine gracefully',
  work: (machines, name, operation) => machines.stop(name, operation),
  done: 'stopped',
});

export const kill = verbOnEach({
  summary: 'Kill a machine (as a power cut does)',
  work: (machines, name, operation) => machines.kill(name, operation),
  done: 'killed',
});

export const restart = verbOnEach({
  summary: 'Restart a machine; starts it when it is stopped',
  work: async (machines, name, operation) => {
    const { state } = await machines.inspect(name);
    if (state === 'running' || state === 'paused' || state === 'unknown') await machines.stop(name, operation);
    return machines.start(name, operation);
  },
  done: 'restarted',
});

export const rm = defineVerb({
  usage: '[OPTIONS] NAME [NAME...]',
  summary: 'Remove a machine, with all that is in it',
  flags: {
    force: flag.switch({
      short: 'f',
      help: 'Remove without asking; forget it also when its driver cannot remove what it made',
    }),
    yes: flag.switch({ short: 'y', help: 'Assume yes to the question' }),
  },
  min: 1,
  async run({ flags: { force, yes }, args, context }) {
    const machines = await context.machines();
    const names = (await chosenMachines(machines, args)).map(({ name }) => name);
    await writeLines(context.stdout, [
      `About to remove ${names.join(', ')}`,
      'WARNING: This deletes the machine with its containers, images and volumes.',
    ]);
    if (!force && !yes && !(await isAgreed(context))) throw new CommandError('Nothing was removed.');
    return operateOnEach(context, names, {
      work: (name, operation) => machines.remove(name, operation, { isForced: force }),
      say: (name) => `Successfully removed ${name}`,
    });
  },
});

/** Asks on the terminal; also takes an answer from a pipe. The end of the input is a no. */
async function isAgreed(context: Context): Promise<boolean> {
  await write(context.stdout, 'Are you sure? (y/n): ');
  const lines = createInterface({ input: context.stdin, terminal: false });
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim());
    return false;
  } finally {
    lines.close();
  }
}
