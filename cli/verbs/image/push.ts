import { formatImageName, withDefaultTag } from '../../../api/image-names.ts';
import { loginFor } from '../../login-for.ts';
import { flag } from '../../flags/flag.ts';
import { imageNameOf, platformOf } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { showTransfer } from '../../transfers/show-transfer.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { contentTrustFlag, refuseContentTrust } from './content-trust.ts';

export const push = defineVerb({
  usage: '[OPTIONS] NAME[:TAG]',
  summary: 'Upload an image to a registry',
  flags: {
    allTags: flag.switch({ short: 'a', help: 'Push all tags of an image to the repository' }),
    disableContentTrust: contentTrustFlag,
    platform: flag.text({
      help: 'Push only the manifest of this platform, as an image of one platform (os[/arch[/variant]])',
    }),
    quiet: flag.switch({ short: 'q', help: 'Suppress verbose output' }),
  },
  min: 1,
  max: 1,
  offers: ['image'],
  async run({ flags, args: [text = ''], context }) {
    refuseContentTrust(flags.disableContentTrust);
    const platform = platformOf(flags.platform);
    const named = imageNameOf(text);
    if (flags.allTags && named.tag !== null) throw new CommandError("tag can't be used with --all-tags/-a");
    const name = flags.allTags ? named : withDefaultTag(named);
    if (name !== named && !flags.quiet) await writeLines(context.stdout, ['Using default tag: latest']);
    const auth = await loginFor(context, name.domain);
    await showTransfer(context, flags.quiet ? 'quiet' : context.stdout, (signal) =>
      context.engine.registries.push(name, { auth, platform }, { signal }),
    );
    if (flags.quiet) await writeLines(context.stdout, [formatImageName(name)]);
    return 0;
  },
});
