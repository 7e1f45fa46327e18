import { flag } from '../../flags/flag.ts';
import { filterFlag } from '../../flags/filters.ts';
import { containerFormat, containerRow } from '../../formats/containers.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const ls = defineVerb({
  usage: '[OPTIONS]',
  summary: 'List containers',
  flags: {
    all: flag.switch({ short: 'a', help: 'Show all containers (default shows just running)' }),
    filter: filterFlag('Filter output based on conditions provided'),
    format: flag.text({ help: formatHelp }),
    last: flag.integer({ short: 'n', help: 'Show n last created containers (includes all states)' }),
    latest: flag.switch({ short: 'l', help: 'Show the latest created container (includes all states)' }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
    quiet: flag.switch({ short: 'q', help: 'Only display container IDs' }),
    size: flag.switch({ short: 's', help: 'Display total file sizes' }),
  },
  max: 0,
  examples: [
    ['-a', 'All containers, also those that have ended'],
    ["--filter status=exited --format '{{.Names}}: {{.Status}}'", 'How those ended that ended, by a template'],
  ],
  async run({ flags, context }) {
    const limit = flags.latest && flags.last === undefined ? 1 : Math.max(0, flags.last ?? 0);
    const containers = await context.engine.containers.list({
      all: flags.all,
      filters: flags.filter,
      ...(needsSize(flags) ? { size: true } : {}),
      ...(limit > 0 ? { limit } : {}),
    });
    const options = { length: flags.noTrunc ? 'full' : 'short', nowMs: context.nowMs() } as const;
    const format = flags.size
      ? { ...containerFormat, table: [...containerFormat.table, 'Size' as const] }
      : containerFormat;
    const rows = containers.map((container) => containerRow(container, options));
    await writeLines(context.stdout, rowLines(format, rows, { isQuiet: flags.quiet, format: flags.format }));
    return 0;
  },
});

/** Measuring takes long: only when it is asked for, or printed. */
function needsSize({ size, format, quiet }: { size: boolean; format: string | undefined; quiet: boolean }): boolean {
  return !quiet && (size || /\.Size\b/.test(format ?? ''));
}
