import { flag } from '../flags/flag.ts';
import { filterFlag } from '../flags/filters.ts';
import { containerFormat, containerRow } from '../formats/containers.ts';
import { rowLines } from '../formats/rows.ts';
import { writeLines } from '../report.ts';
import { defineVerb } from '../verb.ts';

export const ps = defineVerb({
  usage: '[OPTIONS]',
  summary: 'List containers',
  flags: {
    all: flag.switch({ short: 'a', help: 'Show all containers (default shows just running)' }),
    filter: filterFlag('Filter output based on conditions provided'),
    format: flag.text({ help: 'Format output: table, json, a Go template, or table with a template' }),
    last: flag.integer({ short: 'n', help: 'Show n last created containers (includes all states)' }),
    latest: flag.switch({ short: 'l', help: 'Show the latest created container (includes all states)' }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
    quiet: flag.switch({ short: 'q', help: 'Only display container IDs' }),
  },
  max: 0,
  missing: ['size'],
  async run({ flags, context }) {
    const limit = flags.latest && flags.last === undefined ? 1 : Math.max(0, flags.last ?? 0);
    const containers = await context.engine.containers.list({
      all: flags.all,
      filters: flags.filter,
      ...(limit > 0 ? { limit } : {}),
    });
    const options = { length: flags.noTrunc ? 'full' : 'short', nowMs: context.nowMs() } as const;
    const rows = containers.map((container) => containerRow(container, options));
    await writeLines(context.stdout, rowLines(containerFormat, rows, { isQuiet: flags.quiet, format: flags.format }));
    return 0;
  },
});
