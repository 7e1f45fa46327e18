import { flag } from '../../flags/flag.ts';
import { parseTemplate } from '../../formats/template/template.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { chosenMachine, chosenMachines } from './chosen.ts';
import { stateName } from './ls.ts';

/** The verbs that tell one fact of a machine. */

export const status = defineVerb({
  usage: '[NAME]',
  summary: 'Get the status of a machine',
  flags: {},
  max: 1,
  async run({ args: [name], context }) {
    const machine = await chosenMachine(await context.machines(), name);
    await writeLines(context.stdout, [stateName(machine.state)]);
    if (machine.error !== null) await writeLines(context.stderr, [machine.error]);
    return 0;
  },
});

export const inspect = defineVerb({
  usage: '[OPTIONS] [NAME]',
  summary: 'Inspect information about a machine',
  flags: { format: flag.text({ short: 'f', help: 'Format output: json, or a Go template' }) },
  max: 1,
  async run({ flags: { format }, args: [name], context }) {
    const machine = await chosenMachine(await context.machines(), name);
    const text =
      format === undefined
        ? JSON.stringify(machine, null, 4)
        : format === 'json'
          ? JSON.stringify(machine)
          : parseTemplate(format)(machine);
    await writeLines(context.stdout, [text]);
    return 0;
  },
});

export const url = defineVerb({
  usage: '[NAME]',
  summary: 'Get the URL at which docker clients reach the engine of a machine',
  flags: {},
  max: 1,
  async run({ args: [name], context }) {
    const machine = await chosenMachine(await context.machines(), name);
    if (machine.state !== 'running') {
      throw new CommandError(
        `Machine "${machine.name}" is not running. Start it with: skiff machine start ${machine.name}`,
      );
    }
    await writeLines(context.stdout, [machine.dockerHost]);
    return 0;
  },
});

export const ip = defineVerb({
  usage: '[NAME...]',
  summary: 'Get the IP address of a machine',
  flags: {},
  async run({ args, context }) {
    const machines = await context.machines();
    let exitCode = 0;
    for (const { name } of await chosenMachines(machines, args)) {
      try {
        await writeLines(context.stdout, [await machines.ip(name)]);
      } catch (error) {
        exitCode = 1;
        await writeLines(context.stderr, [describeError(error)]);
      }
    }
    return exitCode;
  },
});
