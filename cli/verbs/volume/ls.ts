import { filterFlag } from '../../flags/filters.ts';
import { flag } from '../../flags/flag.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { volumeFormat, volumeRow } from '../../formats/volumes.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const ls = defineVerb({
  usage: '[OPTIONS]',
  summary: 'List volumes',
  flags: {
    filter: filterFlag('Provide filter values (e.g. "dangling=true")'),
    format: flag.text({ help: formatHelp }),
    quiet: flag.switch({ short: 'q', help: 'Only display volume names' }),
  },
  max: 0,
  missing: ['cluster'],
  examples: [['-q --filter dangling=true', 'Names of those that no container uses']],
  async run({ flags: { filter, format, quiet }, context }) {
    const { Volumes } = await context.engine.volumes.list({ filters: filter });
    const volumes = [...(Volumes ?? [])].sort((a, b) => a.Name.localeCompare(b.Name, 'en', { numeric: true }));
    await writeLines(context.stdout, rowLines(volumeFormat, volumes.map(volumeRow), { isQuiet: quiet, format }));
    return 0;
  },
});
