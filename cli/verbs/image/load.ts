import { flag } from '../../flags/flag.ts';
import { openArchive } from '../../files/archives.ts';
import { platformOf } from '../../image-names.ts';
import { showTransfer } from '../../transfers/show-transfer.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const load = defineVerb({
  usage: '[OPTIONS]',
  summary: 'Load an image from a tar archive or STDIN',
  flags: {
    input: flag.text({ short: 'i', help: 'Read from tar archive file, instead of STDIN', offers: 'file' }),
    platform: flag.text({ help: 'Load only the given platform variant (os[/arch[/variant]])' }),
    quiet: flag.switch({ short: 'q', help: 'Suppress the load output' }),
  },
  max: 0,
  async run({ flags, context }) {
    const platform = platformOf(flags.platform);
    if (flags.input === undefined && context.stdin.isTTY) {
      throw new CommandError('requested load from stdin, but stdin is empty');
    }
    const archive = await openArchive(flags.input ?? null, context);
    // Where nothing can be drawn over, the names of what is there count, as docker does it.
    const quiet = flags.quiet || !context.stdout.isTTY;
    await showTransfer(context, context.stdout, (signal) =>
      context.engine.images.load(archive, { quiet, platform }, { signal }),
    );
    return 0;
  },
});
