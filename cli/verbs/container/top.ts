import { tableLines } from '../../formats/table.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const top = defineVerb({
  usage: 'CONTAINER [ps OPTIONS]',
  summary: 'Display the running processes of a container',
  flags: {},
  min: 1,
  stopAt: 'first-argument',
  offers: ['running-container', 'nothing'],
  examples: [['web -o pid,user,args', 'Chosen columns']],
  async run({ args: [container = '', ...psArgs], context }) {
    const { Titles, Processes } = await context.engine.containers.top(container, psArgs.join(' '));
    await writeLines(context.stdout, tableLines([Titles, ...(Processes ?? [])], 20));
    return 0;
  },
});
