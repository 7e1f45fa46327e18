import { flag } from '../flags/flag.ts';
import { filterFlag } from '../flags/filters.ts';
import { imageFormat, imageRows } from '../formats/images.ts';
import { rowLines } from '../formats/rows.ts';
import { writeLines } from '../report.ts';
import { defineVerb } from '../verb.ts';

export const images = defineVerb({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  flags: {
    all: flag.switch({ short: 'a', help: 'Show all images (default hides intermediate images)' }),
    filter: filterFlag('Filter output based on conditions provided'),
    format: flag.text({ help: 'Format output: table, json, a Go template, or table with a template' }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
    quiet: flag.switch({ short: 'q', help: 'Only show image IDs' }),
  },
  max: 1,
  missing: ['digests', 'tree'],
  async run({ flags, args: [reference], context }) {
    const filters = reference === undefined ? flags.filter : { ...flags.filter, reference: [reference] };
    const all = await context.engine.images.list({ all: flags.all, filters });
    const options = { length: flags.noTrunc ? 'full' : 'short', nowMs: context.nowMs() } as const;
    const rows = all.flatMap((image) => imageRows(image, options));
    await writeLines(context.stdout, rowLines(imageFormat, rows, { isQuiet: flags.quiet, format: flags.format }));
    return 0;
  },
});
