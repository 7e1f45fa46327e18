import type { SkiffFileChange } from '../../../api/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { changeLines } from '../../pictures/change-lines.ts';
import { styleOf } from '../../pictures/picture-style.ts';
import { writeLines } from '../../report.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

const pageFiles = 2_000;

export const diff = defineVerb({
  usage: '[OPTIONS] CONTAINER SNAPSHOT [SNAPSHOT]',
  summary: 'Show what changed since a snapshot',
  details: 'Until now, or until the second snapshot. A: added, C: changed, D: deleted.',
  flags: { quiet: flag.switch({ short: 'q', help: 'Only the paths' }) },
  min: 2,
  max: 3,
  offers: ['container', 'snapshot'],
  async run({ flags: { quiet }, args: [container = '', snapshot = '', to], context }) {
    const files = await ofSkiffEngine('container snapshot', allFiles({ container, snapshot }, to, context));
    await writeLines(context.stdout, changeLines(files, { isQuiet: quiet, style: styleOf(context) }));
    return 0;
  },
});

async function allFiles(
  of: { readonly container: string; readonly snapshot: string },
  to: string | undefined,
  context: Context,
): Promise<readonly SkiffFileChange[]> {
  const files: SkiffFileChange[] = [];
  let after: string | null = null;
  do {
    const page: { readonly files: readonly SkiffFileChange[]; readonly next: string | null } =
      await context.engine.skiff.snapshots.diff(of, {
        limit: pageFiles,
        ...(to === undefined ? {} : { to }),
        ...(after === null ? {} : { after }),
      });
    files.push(...page.files);
    after = page.next;
  } while (after !== null);
  return files;
}
