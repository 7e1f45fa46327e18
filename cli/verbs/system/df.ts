import { flag } from '../../flags/flag.ts';
import type { SkiffDisk } from '../../../api/skiff.ts';
import { diskDetailLines, diskLines } from '../../formats/disk-truth.ts';
import { usageData, usageFormat, usageJson, usageRows, verboseUsageLines } from '../../formats/disk-usage.ts';
import { formatHelp, rowLines } from '../../formats/rows.ts';
import { parseRowTemplate } from '../../formats/template/template.ts';
import { write, writeLines } from '../../report.ts';
import { isForeign } from '../../skiff-engine.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

export const df = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Show disk usage',
  details:
    "In bytes of the disk, all that the engine has there; with --format in docker's form, which counts files alone.",
  flags: {
    format: flag.text({ help: formatHelp }),
    verbose: flag.switch({ short: 'v', help: 'Show detailed information on space usage' }),
  },
  max: 0,
  async run({ flags: { format, verbose }, context }) {
    const disk = format === undefined ? await diskTruth(context) : null;
    if (disk !== null) {
      const details = verbose ? ['', ...diskDetailLines(disk)] : [];
      await writeLines(context.stdout, [...diskLines(disk), ...details]);
      return 0;
    }
    const usage = await context.engine.diskUsage();
    if (!verbose) {
      await writeLines(context.stdout, rowLines(usageFormat, usageRows(usage), { isQuiet: false, format }));
      return 0;
    }
    if (format === undefined || format === 'table') {
      await writeLines(context.stdout, verboseUsageLines(usage, context.nowMs()));
      return 0;
    }
    const data = usageData(usage, context.nowMs());
    // As docker: one object, and no newline after it.
    await write(context.stdout, format === 'json' ? usageJson(data) : parseRowTemplate(format)(data));
    return 0;
  },
});

/** Null on an engine that cannot tell. */
async function diskTruth({ engine }: Context): Promise<SkiffDisk | null> {
  try {
    return await engine.skiff.disk();
  } catch (error) {
    if (isForeign(error)) return null;
    throw error;
  }
}
