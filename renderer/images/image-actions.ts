import type { Image } from '../../desktop/contract/images.ts';
import type { Session } from '../session/Session.svelte.ts';
import { imageKeyText } from './image-table.ts';

/** What is done to one image. */
export type ImageAction = 'remove' | 'tag' | 'flatten';

const actionTimeoutMs = 600_000;

/** Does it, keeping track in the session's book; true when it went well. */
export function actOnImage(options: {
  readonly session: Session;
  readonly image: Image;
  readonly change: { readonly verb: 'remove' } | { readonly verb: 'tag' | 'flatten'; readonly name: string };
}): Promise<boolean> {
  const { session, image, change } = options;
  const one = { machine: image.machine, image: image.id };
  const limits = { timeoutMs: actionTimeoutMs };
  return session.imageActions.run({
    key: imageKeyText(image),
    action: change.verb,
    work: async () => {
      const { images } = session.client;
      // An id with several names is a conflict for docker; who confirmed the list of names means all of them.
      if (change.verb === 'remove') return images.remove({ ...one, force: image.names.length > 1 }, limits);
      return images[change.verb]({ ...one, name: change.name }, limits);
    },
  });
}
