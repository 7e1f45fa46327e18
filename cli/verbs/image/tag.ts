import { familiarRepository } from '../../../api/image-names.ts';
import { newImageName } from '../../image-names.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const tag = defineVerb({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: {},
  min: 2,
  max: 2,
  offers: ['image'],
  async run({ args: [source = '', target = ''], context }) {
    const name = newImageName(target);
    if (name.digest !== null) throw new CommandError('refusing to create a tag with a digest reference');
    await context.engine.images.tag(source, { repository: familiarRepository(name), tag: name.tag ?? 'latest' });
    return 0;
  },
});
