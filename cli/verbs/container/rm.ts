import { EngineError } from '../../../client/errors.ts';
import { flag } from '../../flags/flag.ts';
import { describeError, forEachName, writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const rm = defineVerb({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Remove one or more containers',
  flags: {
    force: flag.switch({ short: 'f', help: 'Force the removal of a running container (uses SIGKILL)' }),
    link: flag.switch({ short: 'l', help: 'Remove the specified link' }),
    volumes: flag.switch({ short: 'v', help: 'Remove anonymous volumes associated with the container' }),
  },
  min: 1,
  offers: ['container'],
  examples: [['-f $(skiff ps -aq)', 'Remove every container, also those that run']],
  async run({ flags: { force, volumes, link }, args, context }) {
    const { containers } = context.engine;
    // With --force what is gone already is no failure, but it is told.
    const gone: string[] = [];
    const names = new Set(args.map((name) => name.replace(/^\//, '')));
    const exitCode = await forEachName([...names], context, async (name) => {
      try {
        await containers.remove(name, { force, volumes, ...(link ? { link } : {}) });
        return name;
      } catch (error) {
        if (!force || !(error instanceof EngineError) || error.statusCode !== 404) throw error;
        gone.push(describeError(error));
        return null;
      }
    });
    await writeLines(context.stderr, gone);
    return exitCode;
  },
});
