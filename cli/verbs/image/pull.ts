import { formatImageName, withDefaultTag } from '../../../api/image-names.ts';
import { loginFor } from '../../login-for.ts';
import { flag } from '../../flags/flag.ts';
import { imageNameOf } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { showTransfer } from '../../transfers/show-transfer.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { contentTrustFlag, refuseContentTrust } from './content-trust.ts';

export const pull = defineVerb({
  usage: '[OPTIONS] NAME[:TAG|@DIGEST]',
  summary: 'Download an image from a registry',
  flags: {
    allTags: flag.switch({ short: 'a', help: 'Download all tagged images in the repository' }),
    disableContentTrust: contentTrustFlag,
    platform: flag.text({ help: 'Set platform if server is multi-platform capable' }),
    quiet: flag.switch({ short: 'q', help: 'Suppress verbose output' }),
  },
  min: 1,
  max: 1,
  offers: ['image'],
  examples: [
    ['alpine', 'The newest Alpine of Docker Hub'],
    ['--platform linux/arm64 ghcr.io/owner/app:1.2', 'Made for another processor, from another registry'],
  ],
  async run({ flags, args: [text = ''], context }) {
    refuseContentTrust(flags.disableContentTrust);
    const named = imageNameOf(text);
    if (flags.allTags && (named.tag !== null || named.digest !== null)) {
      throw new CommandError("tag can't be used with --all-tags/-a");
    }
    const name = flags.allTags ? named : withDefaultTag(named);
    if (name !== named && !flags.quiet) await writeLines(context.stdout, ['Using default tag: latest']);
    const auth = await loginFor(context, name.domain);
    await showTransfer(context, flags.quiet ? 'quiet' : context.stdout, (signal) =>
      context.engine.registries.pull(name, { auth, platform: flags.platform }, { signal }),
    );
    await writeLines(context.stdout, [formatImageName(name)]);
    return 0;
  },
});
