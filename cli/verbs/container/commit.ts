import { familiarRepository, withDefaultTag } from '../../../api/image-names.ts';
import { flag } from '../../flags/flag.ts';
import { imageNameOf } from '../../image-names.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';

export const commit = defineVerb({
  usage: '[OPTIONS] CONTAINER [REPOSITORY[:TAG]]',
  summary: "Create a new image from a container's changes",
  flags: {
    author: flag.text({ short: 'a', help: 'Author (e.g., "Jane Doe <jane@example.com>")' }),
    change: flag.list({ short: 'c', help: 'Apply Dockerfile instruction to the created image' }),
    message: flag.text({ short: 'm', help: 'Commit message' }),
    pause: flag.switch({ short: 'p', help: 'Pause container during commit', initial: true }),
  },
  min: 1,
  max: 2,
  offers: ['container', 'image'],
  async run({ flags: { author, change, message, pause }, args: [container = '', reference], context }) {
    const name = reference === undefined ? null : withDefaultTag(imageNameOf(reference));
    if (name !== null && name.digest !== null) {
      throw new CommandError('refusing to create a tag with a digest reference');
    }
    const id = await context.engine.images.commit(container, {
      pause,
      ...(name === null ? {} : { repo: familiarRepository(name), tag: name.tag ?? 'latest' }),
      ...(author === undefined ? {} : { author }),
      ...(message === undefined ? {} : { comment: message }),
      ...(change.length > 0 ? { changes: change } : {}),
    });
    await writeLines(context.stdout, [id]);
    return 0;
  },
});
