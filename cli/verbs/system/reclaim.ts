import type { SkiffReclaimable } from '../../../api/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { formatSize } from '../../formats/sizes.ts';
import { writeLines } from '../../report.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

const kinds: readonly SkiffReclaimable[] = ['compressed-copies', 'unfinished-downloads', 'dangling-images'];
/** What is kept only to be faster the next time: nothing that anybody has made is lost. */
const harmless: readonly SkiffReclaimable[] = ['compressed-copies', 'unfinished-downloads'];

export const reclaim = defineVerb({
  usage: '[OPTIONS] [KIND...]',
  summary: 'Give back disk space that is kept for speed alone',
  details: `KIND is one of ${kinds.join(', ')}; without one it is the first two, which nobody misses: pushes and saves compress anew.`,
  flags: { dryRun: flag.switch({ short: 'n', help: 'Only tell what would be given back' }) },
  offers: [kinds],
  async run({ flags: { dryRun }, args, context }) {
    const wanted = args.length === 0 ? harmless : args.map(kindOf);
    const work = context.engine.skiff.reclaim(wanted, { isDryRun: dryRun });
    const { bytes, kinds: done } = await ofSkiffEngine('system reclaim', work);
    await writeLines(context.stdout, [
      ...done.map(({ kind, count, bytes: own }) => `${kind}: ${count}, ${formatSize(own, 4)}`),
      `${dryRun ? 'Reclaimable' : 'Total reclaimed'} space: ${formatSize(bytes, 4)}`,
    ]);
    return 0;
  },
});

function kindOf(text: string): SkiffReclaimable {
  const found = kinds.find((kind) => kind === text);
  if (found === undefined) throw new CommandError(`unknown kind "${text}": what may go is ${kinds.join(', ')}`);
  return found;
}
