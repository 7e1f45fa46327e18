import type { Events } from '../../events/events.ts';
import type { Image } from '../../images/image.ts';

/** Docker's events of images carry the image's labels, and a name: often its id. */
export function publishImageEvent(events: Events, action: string, image: Image, name: string): void {
  const { id, config } = image;
  events.publish({ type: 'image', action, actorId: id, attributes: { ...config.run.labels, name } });
}
