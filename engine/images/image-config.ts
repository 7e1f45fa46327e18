import { invalid } from '../model/errors.ts';
import { parseDigest } from '../model/ids.ts';
import { type Instant, parseInstant } from '../model/time.ts';
import type { ExposedPort, ImageConfig, ImageHealthcheck, RunConfig } from './image.ts';
import { JsonFields } from './json-fields.ts';

/** As many as images may have elsewhere (docker itself takes 125): what is made here stays below the 128 that older kernels mount. */
const mostLayers = 127;

/** Reads a config blob (source: OCI image spec, config.md; docker's has the same fields). Throws `invalid` naming the field. */
export function parseImageConfig(blob: Buffer): ImageConfig {
  const root = JsonFields.parse(blob, 'image config');
  const os = root.text('os');
  if (os !== '' && os !== 'linux') throw invalid(`cannot load ${os} image on linux`);
  const layers = root.fields('rootfs');
  const type = layers.text('type');
  if (type !== '' && type !== 'layers') throw invalid(`image config: rootfs: unknown type ${JSON.stringify(type)}`);
  const diffIds = (layers.texts('diff_ids') ?? []).map(parseDigest);
  if (diffIds.length > mostLayers) throw invalid(`max depth exceeded: ${diffIds.length} layers, at most ${mostLayers}`);
  return {
    architecture: root.text('architecture'),
    variant: root.text('variant'),
    os: 'linux',
    createdAt: instantOf(root.text('created')),
    author: root.text('author'),
    comment: root.text('comment'),
    dockerVersion: root.text('docker_version'),
    diffIds,
    history: root.list('history').map((entry) => ({
      createdAt: instantOf(entry.text('created')),
      createdBy: entry.text('created_by'),
      comment: entry.text('comment'),
      isEmptyLayer: entry.flag('empty_layer') === 'set',
    })),
    run: runConfig(root.fields('config')),
  };
}

function runConfig(config: JsonFields): RunConfig {
  return {
    user: config.text('User'),
    env: config.texts('Env') ?? [],
    entrypoint: config.texts('Entrypoint'),
    command: config.texts('Cmd'),
    workingDir: config.text('WorkingDir'),
    labels: config.textMap('Labels'),
    exposedPorts: config.keys('ExposedPorts').flatMap(exposedPorts),
    volumes: config.keys('Volumes').map(volumePath),
    stopSignal: config.text('StopSignal') || null,
    healthcheck: config.has('Healthcheck') ? healthcheck(config.fields('Healthcheck')) : null,
    shell: config.texts('Shell'),
    onBuild: config.texts('OnBuild'),
  };
}

function healthcheck(fields: JsonFields): ImageHealthcheck {
  return {
    test: fields.texts('Test') ?? [],
    intervalNs: fields.number('Interval'),
    timeoutNs: fields.number('Timeout'),
    startPeriodNs: fields.number('StartPeriod'),
    startIntervalNs: fields.number('StartInterval'),
    retries: fields.number('Retries'),
  };
}

/** `80`, `80/tcp`, `8000-8010/udp`. */
function exposedPorts(text: string): readonly ExposedPort[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (match === null || first < 1 || last > 65_535 || last < first) {
    throw invalid(`image config: config: ExposedPorts: invalid port ${JSON.stringify(text)}`);
  }
  const name = match[3]?.toLowerCase();
  const protocol = name === 'udp' || name === 'sctp' ? name : 'tcp';
  return Array.from({ length: last - first + 1 }, (_, index) => ({ port: first + index, protocol }));
}

function volumePath(text: string): string {
  if (!text.startsWith('/') || text.split('/').includes('..')) {
    throw invalid(`image config: config: Volumes: expected an absolute path without "..", not ${JSON.stringify(text)}`);
  }
  return text;
}

/** A date that is none is no reason to refuse an image: tools that mean "no date" write all sorts of things. */
function instantOf(text: string): Instant | null {
  return parseInstant(text);
}
