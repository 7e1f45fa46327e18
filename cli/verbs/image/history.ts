import type { SkiffImageLayers } from '../../../api/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { historyFormat, historyRow } from '../../formats/history.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { historyPicture } from '../../pictures/history-picture.ts';
import { styleOf } from '../../pictures/picture-style.ts';
import { platformOf } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { isForeign } from '../../skiff-engine.ts';

export const history = defineVerb({
  usage: '[OPTIONS] IMAGE',
  summary: 'Show the history of an image',
  details: 'On a terminal it is a picture of the layers; with a flag, or in a pipe, the table that docker prints.',
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
    const isPicture =
      context.stdout.isTTY && flags.format === undefined && !flags.noTrunc && !flags.quiet && flags.human;
    if (isPicture) {
      const layers = await layersOf(name, context);
      const drawn = { layers, nowMs: context.nowMs(), style: styleOf(context) };
      await writeLines(context.stdout, historyPicture(name, items, drawn));
      return 0;
    }
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

/** Null on an engine that cannot tell: the picture is drawn without what only Skiff's knows. */
async function layersOf(name: string, context: Context): Promise<SkiffImageLayers | null> {
  try {
    return await context.engine.skiff.layers(name);
  } catch (error) {
    if (isForeign(error)) return null;
    throw error;
  }
}
