import { EngineError } from '../../../client/errors.ts';
import { flag } from '../../flags/flag.ts';
import { forEachName } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const rm = defineVerb({
  usage: 'NETWORK [NETWORK...]',
  summary: 'Remove one or more networks',
  flags: { force: flag.switch({ short: 'f', help: 'Do not error if the network does not exist' }) },
  min: 1,
  offers: ['network'],
  run: ({ flags: { force }, args, context }) =>
    forEachName(args, context, async (name) => {
      try {
        await context.engine.networks.remove(name);
        return name;
      } catch (error) {
        if (force && error instanceof EngineError && error.statusCode === 404) return null;
        throw error;
      }
    }),
});
