import type { Image } from '../../images/image.ts';
import { newContainerId } from '../../model/ids.ts';
import { formatInstant } from '../../model/time.ts';
import { Container } from '../container.ts';
import { publishContainerEvent } from '../container-events.ts';
import { checkEndpoints } from '../network/endpoints.ts';
import type { Root } from '../../rootfs/rootfs.ts';
import type { CreateRequest } from '../spec/create-request.ts';
import { noHistory } from '../restarts/history.ts';
import { resolveLinks } from '../network/linked-containers.ts';
import { assertLogOptions } from '../logs/log-file.ts';
import { madeUpName } from '../names/made-up-name.ts';
import { type ImageDefaults, mergeImage } from '../spec/merge-image.ts';
import { assertMountSources, makeMounts, removeAnonymousVolumes } from '../mounts/create-mounts.ts';
import type { Parts } from '../parts.ts';
import { resolveMounts } from '../mounts/resolve-mounts.ts';

/**
 * Makes a container: its row, its folders. Throws `not-found` for an unknown image ("No such image: x", which makes the
 * docker CLI pull), `conflict` for a name that is taken, `invalid`. Nothing is left when it throws. `fill`: puts into its root
 * what it is to begin with.
 */
export async function createContainer(
  parts: Parts,
  request: CreateRequest,
  fill: (root: Root) => Promise<void> = () => Promise.resolve(),
): Promise<Container> {
  const { directory, images, roots, rows, log } = parts;
  const image = images.resolve(request.imageName);
  checkEndpoints(parts.networks, request.network.endpoints);
  const id = newContainerId();
  const name = request.name ?? madeUpName((candidate) => directory.isNameFree(candidate), parts.random);
  using reserved = directory.reserve(name, id);
  const createdAt = formatInstant(parts.now());
  const merged = mergeImage({ id, createdAt, request, image: defaultsOf(image), engine: parts.defaults });
  const network = { ...merged.network, links: resolveLinks(directory, merged.network) };
  const spec = { ...merged, network, mounts: resolveMounts(merged, parts) };
  await assertMountSources(parts, spec.mounts);
  assertLogOptions(spec.log);
  const container = new Container({
    id,
    name: reserved.name,
    spec,
    state: { status: 'created', lastError: null },
    history: noHistory,
  });
  rows.insert(container);
  try {
    const root = await roots.prepare({ id, topLayer: image.topLayer });
    await makeMounts(parts, container, root);
    await fill(root);
    rows.settle(id, container.state);
  } catch (error) {
    log.warn('container could not be created', { container: id, error });
    await roots.remove(id);
    await removeAnonymousVolumes(parts, container);
    rows.delete(id);
    throw error;
  }
  directory.add(container);
  parts.health.follow(parts, container);
  parts.memory.follow(parts, container);
  publishContainerEvent(parts, container, 'create');
  return container;
}

function defaultsOf(image: Image): ImageDefaults {
  const { run } = image.config;
  return {
    id: image.id,
    env: run.env,
    entrypoint: run.entrypoint ?? [],
    command: run.command ?? [],
    workingDir: run.workingDir,
    user: run.user,
    labels: run.labels,
    exposedPorts: run.exposedPorts,
    volumes: run.volumes,
    stopSignal: run.stopSignal,
    healthcheck: run.healthcheck,
    shell: run.shell,
  };
}
