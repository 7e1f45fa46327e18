import { flag } from '../../flags/flag.ts';
import { historyFormat, historyRow } from '../../formats/history.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { platformOf } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const history = defineVerb({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  flags: {
    format: flag.text({ help: formatHelp }),
    human: flag.switch({ short: 'H', help: 'Print sizes and dates in human readable format', initial: true }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
    platform: flag.text({ help: 'Show history for the given platform (os[/arch[/variant]])' }),
    quiet: flag.switch({ short: 'q', help: 'Only show image IDs' }),
  },
  min: 1,
  max: 1,
  offers: ['image'],
  async run({ flags, args: [name = ''], context }) {
    const items = await context.engine.images.history(name, { platform: platformOf(flags.platform) });
    const options = {
      isHuman: flags.human,
      length: flags.noTrunc ? 'full' : 'short',
      nowMs: context.nowMs(),
    } as const;
    const rows = items.map((item) => historyRow(item, options));
    const isQuiet = flags.quiet && flags.format === undefined;
    await writeLines(context.stdout, rowLines(historyFormat(flags.human), rows, { isQuiet, format: flags.format }));
    return 0;
  },
});
