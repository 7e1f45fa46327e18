import { flag } from '../../flags/flag.ts';
import { forEachName } from '../../report.ts';
import { defineVerb } from '../../verb.ts';

export const rm = defineVerb({
  usage: '[OPTIONS] VOLUME [VOLUME...]',
  summary: 'Remove one or more volumes. You cannot remove a volume that is in use by a container.',
  flags: { force: flag.switch({ short: 'f', help: 'Force the removal of one or more volumes' }) },
  min: 1,
  offers: ['volume'],
  run: ({ flags: { force }, args, context }) =>
    forEachName(args, context, (name) => context.engine.volumes.remove(name, { force })),
});
