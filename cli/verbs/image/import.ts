import { familiarRepository, withDefaultTag } from '../../../api/image-names.ts';
import { openArchive } from '../../files/archives.ts';
import { flag } from '../../flags/flag.ts';
import { imageNameOf } from '../../image-names.ts';
import { showTransfer } from '../../transfers/show-transfer.ts';
import { defineVerb } from '../../verb.ts';

export const importImage = defineVerb({
  usage: '[OPTIONS] file|URL|- [REPOSITORY[:TAG]]',
  summary: 'Import the contents from a tarball to create a filesystem image',
  flags: {
    change: flag.list({ short: 'c', help: 'Apply Dockerfile instruction to the created image' }),
    message: flag.text({ short: 'm', help: 'Set commit message for imported image' }),
    platform: flag.text({ help: 'Set platform if server is multi-platform capable' }),
  },
  min: 1,
  offers: ['file', 'nothing'],
  examples: [['-c "CMD /bin/sh" rootfs.tar.gz team/base:1', 'An image of an archive, with a command']],
  async run({ flags: { change, message, platform }, args: [source = '', target], context }) {
    const name = target === undefined ? null : withDefaultTag(imageNameOf(target));
    const options = {
      ...(name === null ? {} : { repo: familiarRepository(name), tag: name.tag ?? name.digest ?? 'latest' }),
      ...(message === undefined ? {} : { message }),
      ...(platform === undefined ? {} : { platform }),
      ...(change.length > 0 ? { changes: change } : {}),
    };
    const from = isAddress(source) ? new URL(source) : await openArchive(source === '-' ? null : source, context);
    await showTransfer(context, context.stdout, (signal) => context.engine.images.import(from, options, { signal }));
    return 0;
  },
});

function isAddress(source: string): boolean {
  return /^(?:https?|ftp|tcp):\/\//.test(source) && URL.canParse(source);
}
