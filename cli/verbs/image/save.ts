import { flag } from '../../flags/flag.ts';
import { platformOf } from '../../image-names.ts';
import { writeDownload } from '../../files/write-download.ts';
import { defineVerb } from '../../verb.ts';

export const save = defineVerb({
  usage: '[OPTIONS] IMAGE [IMAGE...]',
  summary: 'Save one or more images to a tar archive (streamed to STDOUT by default)',
  flags: {
    output: flag.text({ short: 'o', help: 'Write to a file, instead of STDOUT', offers: 'file' }),
    platform: flag.text({ help: 'Save only the given platform variant (os[/arch[/variant]])' }),
  },
  min: 1,
  offers: ['image'],
  examples: [['-o images.tar alpine:3.20 team/app', 'Two images in one archive, for "skiff load" elsewhere']],
  async run({ flags, args, context }) {
    const platform = platformOf(flags.platform);
    await writeDownload(
      context,
      { file: flags.output, what: 'save image' },
      async () => (await context.engine.images.save(args, { platform })).tar,
    );
    return 0;
  },
});
