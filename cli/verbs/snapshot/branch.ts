import { familiarImageName } from '../../../api/image-names.ts';
import { flag } from '../../flags/flag.ts';
import { newImageName } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';
import { defineVerb } from '../../verb.ts';

/** What can be made from a snapshot. */

export const branch = defineVerb({
  usage: '[OPTIONS] CONTAINER SNAPSHOT [NAME]',
  summary: 'Create a new container from a snapshot',
  details: 'It is set up as the first one and has its files as they were. Prints its id.',
  flags: { start: flag.switch({ help: 'Start it too' }) },
  min: 2,
  max: 3,
  offers: ['container', 'snapshot', 'nothing'],
  examples: [['--start db clean db-test', 'The same database again, beside the first one']],
  async run({ flags: { start }, args: [container = '', snapshot = '', name], context }) {
    const { engine } = context;
    const options = name === undefined ? {} : { name };
    const work = engine.skiff.snapshots.makeContainer({ container, snapshot }, options);
    const { id } = await ofSkiffEngine('container snapshot', work);
    if (start) await engine.containers.start(id);
    await writeLines(context.stdout, [id]);
    return 0;
  },
});

export const commit = defineVerb({
  usage: 'CONTAINER SNAPSHOT [REPOSITORY[:TAG]]',
  summary: 'Create a new image from a snapshot',
  flags: {},
  min: 2,
  max: 3,
  offers: ['container', 'snapshot', 'image'],
  async run({ args: [container = '', snapshot = '', name], context }) {
    const options = name === undefined ? {} : { tag: familiarImageName(newImageName(name)) };
    const work = context.engine.skiff.snapshots.makeImage({ container, snapshot }, options);
    await writeLines(context.stdout, [(await ofSkiffEngine('container snapshot', work)).id]);
    return 0;
  },
});
