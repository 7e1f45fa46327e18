import { parseReference } from '../../formats/references.ts';
import { defineVerb } from '../../verb.ts';

export const tag = defineVerb({
  usage: 'SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]',
  summary: 'Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE',
  flags: {},
  min: 2,
  max: 2,
  offers: ['image'],
  async run({ args: [source = '', target = ''], context }) {
    const { repository, tag: name = 'latest' } = parseReference(target);
    await context.engine.images.tag(source, { repository, tag: name });
    return 0;
  },
});
