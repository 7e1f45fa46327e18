import type { Machine } from '../../../provisioners/machines.ts';
import { flag } from '../../flags/flag.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { chosenMachine } from './chosen.ts';

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
  summary: 'Machines have no certificates: says what is there instead',
  flags: {
    clientCerts: flag.switch({ help: 'As docker-machine has it' }),
    force: flag.switch({ short: 'f', help: 'As docker-machine has it' }),
  },
  async run() {
    throw new CommandError(
      'There are no certificates to make anew: machines are reached by SSH, with a key for each that does not expire, and the engine listens on no port',
    );
  },
});

export const gc = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Find what machines that are gone left on this computer, show it, and remove it',
  flags: {
    dryRun: flag.switch({ help: 'Only show what there is' }),
    yes: flag.switch({ short: 'y', help: 'Remove without asking' }),
  },
  max: 0,
  async run({ flags: { dryRun, yes }, context }) {
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
    if (!yes && !(await confirm(context, 'Remove all of it?'))) throw new CommandError('Nothing was removed.');
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
