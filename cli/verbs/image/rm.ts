import { EngineError } from '../../../client/errors.ts';
import { flag } from '../../flags/flag.ts';
import { platformOf } from '../../image-names.ts';
import { describeError, writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const rmi = defineVerb({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Remove one or more images',
  flags: {
    force: flag.switch({ short: 'f', help: 'Force removal of the image' }),
    noPrune: flag.switch({ help: 'Do not delete untagged parents' }),
    platform: flag.words({ help: 'Remove only the given platform variant (os[/arch[/variant]])' }),
  },
  min: 1,
  offers: ['image'],
  async run({ flags: { force, noPrune, platform }, args, context }) {
    const platforms = platform.map(platformOf).filter((one) => one !== undefined);
    const options = { force, noPrune, ...(platforms.length > 0 ? { platforms } : {}) };
    const failed: string[] = [];
    let isForgiven = true;
    for (const name of args) {
      try {
        for (const { Deleted, Untagged } of await context.engine.images.remove(name, options)) {
          await writeLines(context.stdout, [
            Deleted === undefined ? `Untagged: ${Untagged ?? ''}` : `Deleted: ${Deleted}`,
          ]);
        }
      } catch (error) {
        failed.push(describeError(error));
        isForgiven &&= force && error instanceof EngineError && error.statusCode === 404;
      }
    }
    if (failed.length === 0) return 0;
    if (!isForgiven) throw new CommandError(failed.join('\n'));
    await writeLines(context.stderr, failed);
    return 0;
  },
});
