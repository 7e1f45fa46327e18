import { filterFlag } from '../../flags/filters.ts';
import { flag } from '../../flags/flag.ts';
import { networkFormat, networkRow } from '../../formats/networks.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const ls = defineVerb({
  usage: '[OPTIONS]',
  summary: 'List networks',
  flags: {
    filter: filterFlag('Provide filter values (e.g. "driver=bridge")'),
    format: flag.text({ help: formatHelp }),
    noTrunc: flag.switch({ help: 'Do not truncate the output' }),
    quiet: flag.switch({ short: 'q', help: 'Only display network IDs' }),
  },
  max: 0,
  examples: [['--filter driver=bridge', 'Only bridges']],
  async run({ flags: { filter, format, noTrunc, quiet }, context }) {
    const networks = [...(await context.engine.networks.list({ filters: filter }))];
    networks.sort((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }));
    const rows = networks.map((network) => networkRow(network, noTrunc ? 'full' : 'short'));
    await writeLines(context.stdout, rowLines(networkFormat, rows, { isQuiet: quiet, format }));
    return 0;
  },
});
