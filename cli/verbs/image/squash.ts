import type { SkiffSquashed } from '../../../api/skiff.ts';
import { flag } from '../../flags/flag.ts';
import { formatSize } from '../../formats/sizes.ts';
import { newImageName } from '../../image-names.ts';
import { familiarImageName } from '../../../api/image-names.ts';
import { writeLines } from '../../report.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { ofSkiffEngine } from '../../skiff-engine.ts';

const tag = flag.list({ short: 't', help: 'A name for the new image (name:tag)' });
const quiet = flag.switch({ short: 'q', help: 'Only print the id of the new image' });

export const squash = defineVerb({
  usage: '[OPTIONS] IMAGE',
  summary: 'Merge layers of an image into one, as a new image',
  details: 'The numbers of layers are those of "skiff history". Configuration and history are kept.',
  flags: {
    from: flag.integer({ help: 'The lowest layer that is merged', standard: '0, the bottom' }),
    quiet,
    tag,
    to: flag.integer({ help: 'The uppermost layer that is merged (default: the top)' }),
  },
  min: 1,
  max: 1,
  offers: ['image'],
  examples: [['--from 1 -t app:small app:1.2', 'All that stands on the base image in one layer']],
  run: ({ flags, args: [image = ''], context }) =>
    merge(context, flags, (names) =>
      context.engine.skiff.squash(image, {
        names,
        ...(flags.from === undefined ? {} : { from: flags.from }),
        ...(flags.to === undefined ? {} : { to: flags.to }),
      }),
    ),
});

export const flatten = defineVerb({
  usage: '[OPTIONS] IMAGE',
  summary: 'Merge all layers of an image into one, as a new image',
  flags: { quiet, tag },
  min: 1,
  max: 1,
  offers: ['image'],
  run: ({ flags, args: [image = ''], context }) =>
    merge(context, flags, (names) => context.engine.skiff.flatten(image, names)),
});

async function merge(
  context: Context,
  flags: { readonly quiet: boolean; readonly tag: readonly string[] },
  work: (names: readonly string[]) => Promise<SkiffSquashed>,
): Promise<number> {
  const names = flags.tag.map((text) => familiarImageName(newImageName(text)));
  const made = await ofSkiffEngine('squash', work(names));
  await writeLines(context.stdout, [made.id]);
  if (!flags.quiet) await writeLines(context.stderr, [told(made)]);
  return 0;
}

function told(made: SkiffSquashed): string {
  if (made.id === made.source) return 'Those layers are one already: the image stays as it is.';
  const layers = `${made.layersBefore} layers are ${made.layersAfter} now`;
  return `${layers}, ${formatSize(made.bytesBefore)} became ${formatSize(made.bytesAfter)}: ${formatSize(made.savedBytes)} saved.`;
}
