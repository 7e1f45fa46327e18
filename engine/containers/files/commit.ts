/** commit: an image of what a container has become. */
import type { Image } from '../../images/image.ts';
import { engineVersion } from '../../version.ts';
import { familiarReference } from '../../images/reference.ts';
import { formatInstant } from '../../model/time.ts';
import type { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { pauseContainer, unpauseContainer } from '../life/pause.ts';
import type { Parts } from '../parts.ts';

export interface CommitRequest {
  /** `name[:tag]`; null: none. */
  readonly name: string | null;
  readonly comment: string;
  readonly author: string;
  /** Its processes stand still meanwhile. */
  readonly isPaused: boolean;
  /** How containers of the new image are run, in the words of an image's config. */
  readonly config: Readonly<Record<string, unknown>>;
  /** How the container itself is run, in docker's words: the image remembers it. */
  readonly containerConfig: Readonly<Record<string, unknown>>;
  readonly signal: AbortSignal;
}

/** Throws `not-found` when the image that it was made from is gone. */
export async function commitContainer(parts: Parts, container: Container, request: CommitRequest): Promise<Image> {
  const isPaused = request.isPaused && container.state.status === 'running';
  if (isPaused) await pauseContainer(parts, container);
  try {
    return await commit(parts, container, request);
  } finally {
    if (isPaused) await unpauseContainer(parts, container);
  }
}

async function commit(parts: Parts, container: Container, request: CommitRequest): Promise<Image> {
  const { id, spec } = container;
  const { name, comment, author, config, containerConfig, signal } = request;
  const { upper } = parts.roots.get(id);
  const created = formatInstant(parts.now());
  const history = {
    created,
    ...(author === '' ? {} : { author }),
    created_by: [...spec.process.entrypoint, ...spec.process.command].join(' '),
    ...(comment === '' ? {} : { comment }),
  };
  const { image } = await parts.images.make({
    base: spec.imageId,
    layer: (target, until) => parts.trees.writeChanges(upper, target, until),
    name,
    signal,
    config({ comment: _, ...base }, added) {
      const before = Array.isArray(base['history']) ? (base['history'] as readonly unknown[]) : [];
      return {
        ...base,
        created,
        author,
        config,
        container: id,
        container_config: containerConfig,
        docker_version: engineVersion,
        history: [...before, { ...history, ...(added === 'nothing' ? { empty_layer: true } : {}) }],
      };
    },
  });
  publishCommitted(parts, container, { image, name, comment });
  return image;
}

function publishCommitted(
  parts: Parts,
  container: Container,
  made: { readonly image: Image; readonly name: string | null; readonly comment: string },
): void {
  const { image, name, comment } = made;
  const { labels } = image.config.run;
  const tell = (action: string, shown: string): void =>
    parts.events.publish({ type: 'image', action, actorId: image.id, attributes: { ...labels, name: shown } });
  tell('create', image.id);
  const [reference] = image.references;
  const shown = name === null || reference === undefined ? '' : familiarReference(reference);
  if (shown !== '') tell('tag', shown);
  publishContainerEvent(parts, container, 'commit', { comment, imageID: image.id, imageRef: shown });
}
