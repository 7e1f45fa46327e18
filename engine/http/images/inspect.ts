import type { HistoryItem, ImageConfig, ImageInspect } from '../../../api/images.ts';
import type { Image, RunConfig } from '../../images/image.ts';
import type { Images } from '../../images/images.ts';
import { familiarReference } from '../../images/reference.ts';
import { assertPlatform, parsePlatformDocument } from '../../images/wanted-platform.ts';
import { internal, invalid } from '../../model/errors.ts';
import { formatInstant, never } from '../../model/time.ts';
import { presentHealthcheck } from '../containers/inspect/healthcheck.ts';
import type { Exchange } from '../exchange.ts';

export function inspectImage(images: Images, exchange: Exchange): void {
  if (exchange.flag('manifests') && (exchange.query.get('platform') ?? '') !== '')
    throw invalid('conflicting options: manifests and platform options cannot both be set');
  const image = askedImage(images, exchange);
  const layers = images.layers(image.id).map(({ folder }) => folder);
  const shown = present(image, layers);
  const withRun = exchange.isSince('1.50') ? shown : { ...shown, Config: { ...containerFields, ...shown.Config } };
  exchange.answer(
    'image',
    exchange.isSince('1.45') ? withRun : { ...withRun, ...maker(images.source(image.id).configText) },
  );
}

/** The image of the path, if it is made for the platform of the query. */
export function askedImage(images: Images, exchange: Exchange): Image {
  const name = exchange.param('name');
  const text = exchange.query.get('platform') ?? '';
  const platform = text === '' ? null : parsePlatformDocument(text);
  const image = images.resolve(name);
  if (platform !== null) assertPlatform(image.config, { platform, name });
  return image;
}

/** `layers`: folders, topmost first. */
function present(image: Image, layers: readonly string[]): ImageInspect {
  const { config } = image;
  const [upper, ...lowers] = layers;
  return {
    Id: image.id,
    RepoTags: image.references.map(familiarReference),
    RepoDigests: image.digests.map(familiarReference),
    Parent: image.parent ?? '',
    Comment: config.comment === '' ? (config.history.at(-1)?.comment ?? '') : config.comment,
    Created: config.createdAt === null ? never : formatInstant(config.createdAt),
    DockerVersion: config.dockerVersion,
    Author: config.author,
    Config: presentRunConfig(config.run),
    Architecture: config.architecture,
    ...(config.variant === '' ? {} : { Variant: config.variant }),
    Os: config.os,
    Size: image.sizeBytes,
    VirtualSize: image.sizeBytes,
    GraphDriver: {
      Name: 'overlay2',
      Data: {
        ...(upper === undefined ? {} : { UpperDir: upper }),
        ...(lowers.length === 0 ? {} : { LowerDir: lowers.join(':') }),
      },
    },
    RootFS: { Type: 'layers', Layers: config.diffIds },
    Metadata: { LastTagTime: image.lastTaggedAt === null ? never : formatInstant(image.lastTaggedAt) },
  };
}

function presentRunConfig(run: RunConfig): ImageConfig {
  const ports = run.exposedPorts.map(({ port, protocol }) => [`${port}/${protocol}`, {}] as const);
  return {
    User: run.user,
    ...(ports.length > 0 ? { ExposedPorts: Object.fromEntries(ports) } : {}),
    Env: run.env.length === 0 ? null : run.env,
    Entrypoint: run.entrypoint,
    Cmd: run.command,
    Volumes: run.volumes.length === 0 ? null : Object.fromEntries(run.volumes.map((folder) => [folder, {}])),
    WorkingDir: run.workingDir,
    Labels: Object.keys(run.labels).length === 0 ? null : run.labels,
    OnBuild: run.onBuild,
    ...(run.stopSignal === null ? {} : { StopSignal: run.stopSignal }),
    ...(run.healthcheck === null ? {} : { Healthcheck: presentHealthcheck(run.healthcheck) }),
    ...(run.shell === null ? {} : { Shell: run.shell }),
  };
}

/** What clients before 1.45 are told of the container that an image was committed from, as its config has it. */
function maker(configText: string): object {
  const { container, container_config: config } = JSON.parse(configText) as Readonly<Record<string, unknown>>;
  const given = typeof config === 'object' && config !== null ? config : {};
  return {
    ...(typeof container === 'string' && container !== '' ? { Container: container } : {}),
    ContainerConfig: { ...containerFields, ...nothingSet, ...given },
  };
}

/** What clients before 1.50 see in an image's config: it was a container's then. */
const containerFields = {
  Hostname: '',
  Domainname: '',
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: '',
};
const nothingSet = {
  User: '',
  Env: null,
  Cmd: null,
  Volumes: null,
  WorkingDir: '',
  Entrypoint: null,
  OnBuild: null,
  Labels: null,
};

/** Newest first; an image that it was made from has its own id, what came from elsewhere is missing. */
export function imageHistory(images: Images, exchange: Exchange): void {
  const image = askedImage(images, exchange);
  const layers = [...images.layers(image.id)].reverse();
  let used = 0;
  const steps = image.config.history.map((entry) => {
    const layer = entry.isEmptyLayer ? null : layers[used++];
    if (layer === undefined) throw internal('too many non-empty layers in History section');
    return {
      Id: '<missing>',
      Created: Number((entry.createdAt ?? 0n) / 1_000_000_000n),
      CreatedBy: entry.createdBy,
      Tags: null,
      Size: layer?.sizeBytes ?? 0,
      Comment: entry.comment,
    };
  });
  let maker: Image | null = image;
  const answer = steps.reverse().map((step): HistoryItem => {
    if (maker === null) return step;
    const { id, references, parent }: Image = maker;
    maker = parent === null ? null : images.get(parent);
    return { ...step, Id: id, Tags: references.length === 0 ? null : references.map(familiarReference) };
  });
  exchange.json(200, answer);
}
