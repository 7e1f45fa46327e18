import { flag } from '../../flags/flag.ts';
import { forEachName, writeLines } from '../../report.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';
import { defineVerb } from '../../verb.ts';

/** Taking snapshots, going back to one, and removing them. */

export const create = defineVerb({
  usage: '[OPTIONS] CONTAINER [NAME]',
  summary: "Keep a container's files as they are now",
  details: 'The container stands still meanwhile. Volumes are not part of it. Prints the name of the snapshot.',
  flags: { message: flag.text({ short: 'm', help: 'What it is for' }) },
  min: 1,
  max: 2,
  offers: ['container', 'nothing'],
  examples: [['-m "before the upgrade" db clean', 'A place to go back to']],
  async run({ flags: { message }, args: [container = '', name], context }) {
    const options = {
      ...(name === undefined ? {} : { name }),
      ...(message === undefined ? {} : { comment: message }),
    };
    const made = await ofSkiffEngine('container snapshot', context.engine.skiff.snapshots.take(container, options));
    await writeLines(context.stdout, [made.name]);
    return 0;
  },
});

export const rollback = defineVerb({
  usage: 'CONTAINER SNAPSHOT',
  summary: "Put a container's files back as they were",
  details:
    'The container must be stopped. What it has written since is lost, unless a snapshot has it. Volumes stay as they are.',
  flags: {},
  min: 2,
  max: 2,
  offers: ['stopped-container', 'snapshot'],
  async run({ args: [container = '', snapshot = ''], context }) {
    const work = context.engine.skiff.snapshots.rollBack({ container, snapshot });
    await ofSkiffEngine('container snapshot', work);
    await writeLines(context.stdout, [container]);
    return 0;
  },
});

export const rm = defineVerb({
  usage: 'CONTAINER SNAPSHOT [SNAPSHOT...]',
  summary: 'Remove one or more snapshots',
  flags: {},
  min: 2,
  offers: ['container', 'snapshot'],
  run: ({ args: [container = '', ...names], context }) =>
    forEachName(names, context, (snapshot) =>
      ofSkiffEngine('container snapshot', context.engine.skiff.snapshots.remove({ container, snapshot })),
    ),
});
