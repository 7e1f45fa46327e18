/**
 * What the removal of an image takes away, and when it is refused. The rules and the texts are docker's
 * (source: moby, daemon/images/image_delete.go), since clients and people rely on both.
 */
import { conflict } from '../model/errors.ts';
import type { EngineError } from '../model/errors.ts';
import type { ImageId } from '../model/ids.ts';
import type { Image } from './image.ts';
import type { ImageUser } from './images.ts';
import { familiarName, familiarReference, formatReference, type Reference } from './reference.ts';

export interface RemovalPlan {
  /** In this order. */
  readonly untag: readonly Reference[];
  /** The image itself and, after it, the nameless ones that it was made from. Empty: it stays. */
  readonly delete: readonly Image[];
}

export interface Removal {
  readonly image: Image;
  readonly isForced: boolean;
  /** Whether nameless images that it was made from stay. */
  readonly keepsParents: boolean;
  /** The name that was given; null when the image was named by its id or a prefix of it. */
  readonly reference: Reference | null;
}

/** What of the store a plan depends on. */
export interface Kinship {
  get(id: ImageId): Image | null;
  childrenOf(id: ImageId): readonly ImageId[];
  usersOf(id: ImageId): readonly ImageUser[];
}

/** Throws `conflict` in docker's words. */
export function planRemoval(removal: Removal, kinship: Kinship): RemovalPlan {
  return removal.reference === null ? byId(removal, kinship) : byName(removal, removal.reference, kinship);
}

function byName(removal: Removal, reference: Reference, kinship: Kinship): RemovalPlan {
  const { image, isForced } = removal;
  const all = namesOf(image);
  const [user] = kinship.usersOf(image.id);
  if (user !== undefined && !isForced && areOneName(all)) {
    throw conflict(
      `conflict: unable to remove repository reference "${familiarReference(reference)}" (must force) - ` +
        `container ${short(user.id)} is using its referenced image ${shortId(image)}`,
    );
  }
  const untag = [reference, ...digestsLeftBehind(all, reference)];
  const rest = without(all, untag);
  // Forced: the name goes even when a running container keeps the image itself.
  const isKept = rest.length > 0 || reasonToKeep(image, { isForced, names: rest, kinship }) !== null;
  return { untag, delete: isKept ? [] : withParents(removal, kinship) };
}

/** With the last tag of a repository go the digests that the image has there. */
function digestsLeftBehind(all: readonly Reference[], reference: Reference): readonly Reference[] {
  if (reference.digest !== null) return [];
  const siblings = without(all, [reference]).filter((other) => familiarName(other) === familiarName(reference));
  return siblings.every(({ digest }) => digest !== null) ? siblings : [];
}

function byId(removal: Removal, kinship: Kinship): RemovalPlan {
  const { image, isForced } = removal;
  const all = namesOf(image);
  const untag = areOneName(all) ? all : [];
  const reason = reasonToKeep(image, { isForced, names: without(all, untag), kinship });
  if (reason !== null) throw reason;
  return { untag: all, delete: withParents(removal, kinship) };
}

/** Nameless images that nobody needs any more go with their last child, however many there are. */
function withParents({ image, keepsParents }: Removal, kinship: Kinship): readonly Image[] {
  const chain = [image];
  if (keepsParents) return chain;
  for (let child = image; child.parent !== null;) {
    const parent = kinship.get(child.parent);
    if (parent === null || namesOf(parent).length > 0) break;
    const { id } = child;
    const others = kinship.childrenOf(parent.id).filter((other) => other !== id);
    if (others.length > 0 || kinship.usersOf(parent.id).length > 0) break;
    chain.push(parent);
    child = parent;
  }
  return chain;
}

/** `names`: those that would still stand on it. */
function reasonToKeep(
  image: Image,
  now: { readonly isForced: boolean; readonly names: readonly Reference[]; readonly kinship: Kinship },
): EngineError | null {
  const { isForced, names, kinship } = now;
  if (kinship.childrenOf(image.id).length > 0)
    return refusal(image, 'cannot be forced', 'image has dependent child images');
  const users = kinship.usersOf(image.id);
  const running = users.find(({ isRunning }) => isRunning);
  if (running !== undefined)
    return refusal(image, 'cannot be forced', `image is being used by running container ${short(running.id)}`);
  if (isForced) return null;
  if (names.length > 0) return refusal(image, 'must be forced', 'image is referenced in multiple repositories');
  const [stopped] = users;
  if (stopped === undefined) return null;
  return refusal(image, 'must be forced', `image is being used by stopped container ${short(stopped.id)}`);
}

/** One tag and the digests of its repository, or less: docker takes such names for one. */
function areOneName(names: readonly Reference[]): boolean {
  if (names.length <= 1) return true;
  if (names.filter(({ digest }) => digest === null).length > 1) return false;
  return new Set(names.map(familiarName)).size === 1;
}

function namesOf({ references, digests }: Image): readonly Reference[] {
  return [...references, ...digests];
}

function without(names: readonly Reference[], gone: readonly Reference[]): readonly Reference[] {
  const keys = new Set(gone.map(formatReference));
  return names.filter((name) => !keys.has(formatReference(name)));
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
