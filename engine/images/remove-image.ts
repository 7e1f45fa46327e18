/**
 * What the removal of an image takes away, and when it is refused. The rules and the texts are docker's
 * (source: moby, daemon/images/image_delete.go), since clients and people rely on both.
 */
import { conflict } from '../model/errors.ts';
import type { EngineError } from '../model/errors.ts';
import type { Image } from './image.ts';
import type { ImageUser } from './images.ts';
import { familiarName, familiarReference, formatReference, type Reference } from './reference.ts';

export interface RemovalPlan {
  /** In this order. */
  readonly untag: readonly Reference[];
  /** Whether the image itself goes. */
  readonly isDeleted: boolean;
}

export interface Removal {
  readonly image: Image;
  readonly isForced: boolean;
  readonly users: readonly ImageUser[];
  /** The name that was given; null when the image was named by its id or a prefix of it. */
  readonly reference: Reference | null;
}

/** Throws `conflict` in docker's words. */
export function planRemoval(removal: Removal): RemovalPlan {
  return removal.reference === null ? byId(removal) : byName(removal, removal.reference);
}

function byName({ image, isForced, users }: Removal, reference: Reference): RemovalPlan {
  const key = formatReference(reference);
  const rest = image.references.filter((other) => formatReference(other) !== key);
  if (rest.length > 0) return { untag: [reference], isDeleted: false };
  const user = users[0];
  if (user !== undefined && !isForced) {
    throw conflict(
      `conflict: unable to remove repository reference "${familiarReference(reference)}" (must force) - ` +
        `container ${short(user.id)} is using its referenced image ${shortId(image)}`,
    );
  }
  // Forced: the name goes even when a running container keeps the image itself.
  return { untag: [reference], isDeleted: !users.some(({ isRunning }) => isRunning) };
}

function byId({ image, isForced, users }: Removal): RemovalPlan {
  const running = users.find(({ isRunning }) => isRunning);
  if (running !== undefined) {
    throw refusal(image, 'cannot be forced', `image is being used by running container ${short(running.id)}`);
  }
  const stopped = users[0];
  if (stopped !== undefined && !isForced) {
    throw refusal(image, 'must be forced', `image is being used by stopped container ${short(stopped.id)}`);
  }
  const repositories = new Set(image.references.map(familiarName));
  if (repositories.size > 1 && !isForced) {
    throw refusal(image, 'must be forced', 'image is referenced in multiple repositories');
  }
  return { untag: image.references, isDeleted: true };
}

function refusal(image: Image, force: string, why: string): EngineError {
  return conflict(`conflict: unable to delete ${shortId(image)} (${force}) - ${why}`);
}

function short(id: string): string {
  return id.slice(0, 12);
}

function shortId(image: Image): string {
  return short(image.id.slice('sha256:'.length));
}
