import type { Machine } from '../../../provisioners/machines.ts';
import { flag } from '../../flags/flag.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { chosenMachine, chosenMachines } from './chosen.ts';
import { operateOnEach } from './operation.ts';

/** Verbs for shells and scripts that used docker-machine. */

export const active = defineVerb({
  usage: '',
  summary: 'Print which machine docker clients of this shell talk to',
  flags: {},
  max: 0,
  missing: ['timeout'],
  async run({ context }) {
    const { DOCKER_HOST: host, DOCKER_CONTEXT: docker } = context.environment;
    const isActive = ({ dockerHost, dockerContext }: Machine): boolean =>
      host ? host === dockerHost : docker !== undefined && docker === dockerContext;
    const found = (await (await context.machines()).list()).find(isActive);
    if (found === undefined) throw new CommandError('No active host found');
    await writeLines(context.stdout, [found.name]);
    return 0;
  },
});

export const config = defineVerb({
  usage: '[NAME]',
  summary: 'Print the options with which docker talks to a machine',
  flags: {},
  max: 1,
  missing: ['swarm'],
  async run({ args: [name], context }) {
    const { dockerHost } = await chosenMachine(await context.machines(), name);
    await writeLines(context.stdout, [`-H=${dockerHost}`]);
    return 0;
  },
});

export const version = defineVerb({
  usage: '[NAME]',
  summary: 'Show the version of the engine of a machine',
  flags: {},
  max: 1,
  async run({ args: [name], context }) {
    const machine = await chosenMachine(await context.machines(), name);
    if (machine.engineVersion === null) throw new CommandError(`Machine "${machine.name}" has no engine yet`);
    await writeLines(context.stdout, [machine.engineVersion]);
    return 0;
  },
});

export const regenerateCertificates = defineVerb({
  usage: '[OPTIONS] [NAME...]',
  summary: 'Make a new SSH key for a machine, which is what Skiff has in the place of certificates',
  flags: {
    clientCerts: flag.switch({
      help: 'As docker-machine has it: there is one key for both sides, so it changes nothing',
    }),
    force: flag.switch({ short: 'f', help: 'Do not ask' }),
  },
  async run({ flags: { force }, args, context }) {
    const machines = await context.machines();
    const names = (await chosenMachines(machines, args)).map(({ name }) => name);
    const question = `New SSH keys for ${names.join(', ')}: whoever has a copy of the old ones is not let in any more.`;
    if (!force && !(await (await import('../../confirm.ts')).confirm(context, question)))
      throw new CommandError('Nothing was changed.');
    return operateOnEach(context, names, {
      work: (name, operation) => machines.renewKeys(name, operation),
      say: (name) => `Machine "${name}" has a new SSH key.`,
    });
  },
});

export const gc = defineVerb({
  usage: '[OPTIONS]',
  summary:
    'Find what machines that are gone left behind, here and where drivers made them, show it with its cost, and remove it',
  flags: {
    dryRun: flag.switch({ help: 'Only show what there is' }),
    force: flag.switch({ short: 'f', help: 'Remove without asking' }),
    yes: flag.switch({ short: 'y', help: 'The same' }),
  },
  max: 0,
  async run({ flags: { dryRun, force, yes }, context }) {
    const { confirm } = await import('../../confirm.ts');
    const left = await (await context.machines()).leftovers();
    if (left.length === 0) {
      await writeLines(context.stdout, ['Nothing is left over.']);
      return 0;
    }
    await writeLines(
      context.stdout,
      left.map(({ title, cost }) => `${title}${cost === null ? '' : ` (costs ${cost})`}`),
    );
    if (dryRun) return 0;
    if (!force && !yes && !(await confirm(context, 'Remove all of it?')))
      throw new CommandError('Nothing was removed.');
    let exitCode = 0;
    for (const { title, remove } of left) {
      try {
        await remove();
        await writeLines(context.stdout, [`Removed ${title}`]);
      } catch (error) {
        exitCode = 1;
        await writeLines(context.stderr, [`${title}: ${describeError(error)}`]);
      }
    }
    return exitCode;
  },
});
