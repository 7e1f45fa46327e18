import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Verb } from '../../verb.ts';
import { chosenMachine } from './chosen.ts';
import { runOperation } from './operation.ts';
import { flagsOf, givenSettings } from './setting-flags.ts';

/** Its flags are the settings that a driver can change later. */
export const resize: Verb = {
  summary: 'Change processors, memory or disk of a machine; a disk only grows',
  flags: {},
  offers: ['machine'],
  stopAt: 'end',
  async execute(name, words, context) {
    const drivers = (await (await context.machines()).drivers()).filter(({ abilities }) =>
      abilities.includes('resize'),
    );
    const all = drivers.flatMap(({ settings }) => settings).filter(({ change }) => change !== 'never');
    const fields = [...new Map(all.map((field) => [field.flag, field])).values()];
    const verb = defineVerb({
      usage: '[OPTIONS] [NAME]',
      summary: resize.summary,
      flags: flagsOf(fields),
      max: 1,
      async run({ flags, args: [machineName] }) {
        const machines = await context.machines();
        const machine = await chosenMachine(machines, machineName);
        // What the environment says was for its creation.
        const settings = givenSettings(fields, { flags, environment: {} });
        if (Object.keys(settings).length === 0)
          throw new CommandError(`Nothing to change: give ${fields.map(({ flag }) => `--${flag}`).join(', ')}`);
        const { waiting } = await runOperation(context, (operation) =>
          machines.resize(machine.name, settings, operation),
        );
        const titles = fields.filter(({ key }) => waiting.includes(key)).map(({ title }) => title.toLowerCase());
        await writeLines(context.stdout, [
          `Machine "${machine.name}" was resized.`,
          ...(titles.length === 0 ? [] : [`At its next start: ${titles.join(', ')}`]),
        ]);
        return 0;
      },
    });
    return verb.execute(name, words, context);
  },
};
