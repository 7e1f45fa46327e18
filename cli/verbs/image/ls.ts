import { flag } from '../../flags/flag.ts';
import { filterFlag } from '../../flags/filters.ts';
import { imageFormat, imageRows, imageTreeLines } from '../../formats/images.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { flagName } from '../../flags/flag.ts';
import { defineVerb } from '../../verb.ts';

const withDigest = ['Repository', 'Tag', 'Digest', 'ID', 'CreatedSince', 'Size'] as const;

export const images = defineVerb({
  usage: '[OPTIONS] [REPOSITORY[:TAG]]',
  summary: 'List images',
  flags: {
    all: flag.switch({ short: 'a', help: 'Show all images (default hides intermediate images)' }),
    digests: flag.switch({ help: 'Show digests' }),
    filter: filterFlag('Filter output based on conditions provided'),
    format: flag.text({ help: formatHelp }),
    noTrunc: flag.switch({ help: "Don't truncate output" }),
    quiet: flag.switch({ short: 'q', help: 'Only show image IDs' }),
    tree: flag.switch({ help: 'List images once, with all their names' }),
  },
  max: 1,
  offers: ['image'],
  async run({ flags, args: [reference], context }) {
    const conflict = (['digests', 'format', 'noTrunc', 'quiet'] as const).find((key) => flags[key]);
    if (flags.tree && conflict !== undefined)
      throw new CommandError(`${conflictName(conflict)} is not yet supported with --tree`);
    const filters = reference === undefined ? flags.filter : { ...flags.filter, reference: [reference] };
    const all = await context.engine.images.list({ all: flags.all, filters });
    if (flags.tree) {
      await writeLines(context.stdout, imageTreeLines(all));
      return 0;
    }
    const options = { length: flags.noTrunc ? 'full' : 'short', nowMs: context.nowMs() } as const;
    const format = flags.digests ? { ...imageFormat, table: withDigest } : imageFormat;
    const rows = all.flatMap((image) => imageRows(image, options));
    await writeLines(context.stdout, rowLines(format, rows, { isQuiet: flags.quiet, format: flags.format }));
    return 0;
  },
});

/** docker calls one of them by another name than its flag has. */
function conflictName(key: string): string {
  return key === 'digests' ? '--show-digest' : `--${flagName(key)}`;
}
