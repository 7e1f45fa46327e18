import type { ImageInspect, ImageSummary, ProgressMessage } from '../../../api/images.ts';
import type { Parts } from '../../containers/parts.ts';
import { countsAsRunning } from '../../containers/state.ts';
import type { Image } from '../../images/image.ts';
import { imageListFilterKeys, type ListedImage } from '../../images/images.ts';
import { familiarReference } from '../../images/reference.ts';
import { EngineError, invalid } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import { formatInstant, never } from '../../model/time.ts';
import { presentHealthcheck } from '../containers/inspect/healthcheck.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';

export function imageRoutes(parts: Parts): readonly Route[] {
  return [
    { method: 'GET', path: '/images/json', handle: (exchange) => list(parts, exchange) },
    { method: 'POST', path: '/images/load', handle: (exchange) => load(parts, exchange) },
    { method: 'POST', path: '/images/create', handle: refusePull },
    {
      method: 'GET',
      path: '/images/*name/json',
      handle: (exchange) => exchange.answer('image', inspect(parts.images.resolve(exchange.param('name')))),
    },
    { method: 'POST', path: '/images/*name/tag', handle: (exchange) => tag(parts, exchange) },
    { method: 'DELETE', path: '/images/*name', handle: (exchange) => remove(parts, exchange) },
  ];
}

function list(parts: Parts, exchange: Exchange): void {
  const filters = parseFilters(exchange.query.get('filters'), imageListFilterKeys);
  const shown = parts.images.list(filters).map((listed) => imageSummary(parts, listed));
  exchange.answer('image-list', shown);
}

export function imageSummary(parts: Parts, { image, names }: ListedImage): ImageSummary {
  const users = parts.directory.all().filter(({ spec }) => spec.imageId === image.id);
  return {
    Id: image.id,
    ParentId: image.parent ?? '',
    RepoTags: names,
    RepoDigests: image.digests.map(familiarReference),
    Created: Number((image.config.createdAt ?? 0n) / 1_000_000_000n),
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    SharedSize: -1,
    Labels: image.config.run.labels,
    Containers: users.length,
  };
}

function inspect(image: Image): ImageInspect {
  const { config } = image;
  const { run } = config;
  return {
    Id: image.id,
    RepoTags: image.references.map(familiarReference),
    RepoDigests: image.digests.map(familiarReference),
    Comment: config.comment,
    Created: config.createdAt === null ? never : formatInstant(config.createdAt),
    Author: config.author,
    Config: {
      User: run.user,
      ...(run.exposedPorts.length > 0
        ? {
            ExposedPorts: Object.fromEntries(run.exposedPorts.map(({ port, protocol }) => [`${port}/${protocol}`, {}])),
          }
        : {}),
      Env: run.env,
      Entrypoint: run.entrypoint,
      Cmd: run.command,
      ...(run.volumes.length > 0 ? { Volumes: Object.fromEntries(run.volumes.map((folder) => [folder, {}])) } : {}),
      WorkingDir: run.workingDir,
      Labels: run.labels,
      ...(run.stopSignal === null ? {} : { StopSignal: run.stopSignal }),
      ...(run.healthcheck === null ? {} : { Healthcheck: presentHealthcheck(run.healthcheck) }),
      ...(run.shell === null ? {} : { Shell: run.shell }),
    },
    Architecture: config.architecture,
    ...(config.variant === '' ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: { Name: 'overlay2', Data: {} },
    RootFS: { Type: 'layers', Layers: config.diffIds },
    Metadata: { LastTagTime: image.lastTaggedAt === null ? never : formatInstant(image.lastTaggedAt) },
  };
}

/** Errors before the first message have a status of their own; later ones stand in the stream, as docker's clients expect. */
async function load(parts: Parts, exchange: Exchange): Promise<void> {
  const messages = parts.images.load(exchange.request, { signal: exchange.signal });
  const first = await messages.next();
  const response = exchange.startStream('application/json');
  const isQuiet = exchange.flag('quiet');
  const send = (message: object): void => void response.write(`${JSON.stringify(message)}\r\n`);
  try {
    for (let next = first; next.done !== true; next = await messages.next()) {
      publishLoaded(parts, next.value);
      if (!isQuiet || next.value.stream !== undefined) send(next.value);
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    parts.log.warn('an image could not be loaded', { error });
    send({ errorDetail: { message }, error: message });
  }
  response.end();
}

function publishLoaded(parts: Parts, message: ProgressMessage): void {
  const name = /^Loaded image: (\S+)\n$/.exec(message.stream ?? '')?.[1];
  if (name === undefined) return;
  parts.events.publish({ type: 'image', action: 'load', actorId: parts.images.resolve(name).id, attributes: { name } });
}

/** The docker CLI comes here when an image is not there. */
function refusePull(exchange: Exchange): void {
  const name = exchange.query.get('fromImage');
  throw new EngineError(
    'not-implemented',
    name === null
      ? 'importing a file system is not there yet in this version of the Skiff engine: load an image instead'
      : `pulling ${name} is not there yet in this version of the Skiff engine: load it from an archive (docker load), or use the built-in image "hello"`,
  );
}

function tag(parts: Parts, exchange: Exchange): void {
  const repository = exchange.query.get('repo') ?? '';
  if (repository === '') throw invalid('repository name must have at least one component');
  const name = exchange.param('name');
  parts.images.tag(name, { repository, tag: exchange.query.get('tag') || null });
  const image = parts.images.resolve(name);
  parts.events.publish({
    type: 'image',
    action: 'tag',
    actorId: image.id,
    attributes: { ...image.config.run.labels, name: repository },
  });
  exchange.response.writeHead(201, { 'Content-Length': 0 }).end();
}

async function remove(parts: Parts, exchange: Exchange): Promise<void> {
  const { id } = parts.images.resolve(exchange.param('name'));
  const removed = await parts.images.remove(exchange.param('name'), {
    isForced: exchange.flag('force'),
    usersOf: (id) =>
      parts.directory
        .all()
        .filter(({ spec }) => spec.imageId === id)
        .map((container) => ({ id: container.id, isRunning: countsAsRunning(container.state) })),
  });
  for (const line of removed) {
    const [action, text] =
      'untagged' in line ? (['untag', line.untagged] as const) : (['delete', line.deleted] as const);
    // Layers that go with an image are deleted too, but no event of docker's tells of them.
    if (action === 'untag' || text === id)
      parts.events.publish({ type: 'image', action, actorId: id, attributes: { name: text } });
  }
  exchange.json(
    200,
    removed.map((line) => ('untagged' in line ? { Untagged: line.untagged } : { Deleted: line.deleted })),
  );
}
