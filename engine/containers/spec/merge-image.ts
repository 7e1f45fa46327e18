import path from 'node:path';
import { invalid } from '../../model/errors.ts';
import type { ContainerId, ImageId } from '../../model/ids.ts';
import type { CreateRequest } from './create-request.ts';
import { type LogDriver, logDrivers } from '../../logs/log-plan.ts';
import type { ContainerSpec, HealthcheckSpec, PortSpec } from './spec.ts';

/** What an image says about containers made from it. */
export interface ImageDefaults {
  readonly id: ImageId;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDir: string;
  readonly user: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly PortSpec[];
  readonly volumes: readonly string[];
  readonly stopSignal: string | null;
  readonly healthcheck: HealthcheckSpec | null;
  readonly shell: readonly string[] | null;
}

/** What the engine says when neither client nor image does. */
export interface EngineDefaults {
  readonly logDriver: LogDriver;
  readonly logOptions: Readonly<Record<string, string>>;
}

const defaultShmBytes = 64 * 1024 * 1024;

/**
 * Client over image over engine (facts: Docker merges variables and labels by key, ports as a union; a client's entrypoint
 * drops the image's command). Throws `invalid` when nothing says what to run.
 */
export function mergeImage(parts: {
  readonly id: ContainerId;
  readonly createdAt: string;
  readonly request: CreateRequest;
  readonly image: ImageDefaults;
  readonly engine: EngineDefaults;
}): ContainerSpec {
  const { id, createdAt, request, image, engine } = parts;
  const {
    name: _name,
    logDriver,
    logOptions,
    shmSizeBytes,
    hostname,
    process: asked,
    network,
    labels,
    stopSignal,
    healthcheck,
    shell,
    ...rest
  } = request;
  const { entrypoint, command } = commandLine(asked, image);
  return {
    ...rest,
    createdAt,
    imageId: image.id,
    process: {
      ...asked,
      entrypoint,
      command,
      env: mergeEnv(image.env, asked.env),
      workingDir: normalized(asked.workingDir ?? image.workingDir),
      user: asked.user ?? image.user,
    },
    hostname: hostname ?? (network.mode === 'host' ? '' : id.slice(0, 12)),
    labels: { ...image.labels, ...labels },
    declaredVolumes: [...new Set([...request.declaredVolumes, ...image.volumes])],
    stopSignal: stopSignal ?? image.stopSignal,
    network: { ...network, exposed: union(image.exposedPorts, [...network.exposed, ...network.published]) },
    log: {
      driver: checkedDriver(logDriver ?? engine.logDriver),
      options: { ...(logDriver === null ? engine.logOptions : {}), ...logOptions },
    },
    healthcheck: mergeHealthcheck(healthcheck, image.healthcheck),
    shell: shell ?? image.shell,
    shmSizeBytes: shmSizeBytes ?? defaultShmBytes,
  };
}

function commandLine(
  asked: CreateRequest['process'],
  image: ImageDefaults,
): { entrypoint: readonly string[]; command: readonly string[] } {
  const isReset = asked.entrypoint?.length === 1 && asked.entrypoint[0] === '';
  const isGiven = asked.entrypoint !== null && asked.entrypoint.length > 0;
  const entrypoint = isReset ? [] : isGiven ? (asked.entrypoint ?? []) : image.entrypoint;
  const given = asked.command !== null && asked.command.length > 0 ? asked.command : null;
  const command = given ?? (isGiven ? [] : image.command);
  if (entrypoint.length + command.length === 0) throw invalid('no command specified');
  return { entrypoint, command };
}

/** Field by field; zero and empty say nothing. */
function mergeHealthcheck(client: HealthcheckSpec | null, image: HealthcheckSpec | null): HealthcheckSpec | null {
  if (client === null || image === null) return client ?? image;
  return {
    test: client.test.length > 0 ? client.test : image.test,
    intervalNs: client.intervalNs || image.intervalNs,
    timeoutNs: client.timeoutNs || image.timeoutNs,
    startPeriodNs: client.startPeriodNs || image.startPeriodNs,
    startIntervalNs: client.startIntervalNs || image.startIntervalNs,
    retries: client.retries || image.retries,
  };
}

/** A variable without `=` takes the image's away; it stays in the list, as docker shows it, until the start (`environment.ts`). */
function mergeEnv(image: readonly string[], client: readonly string[]): readonly string[] {
  const names = new Set(client.map(nameOf));
  return [...client, ...image.filter((variable) => !names.has(nameOf(variable)))];
}

function nameOf(variable: string): string {
  return variable.split('=', 1)[0] ?? '';
}

function union(first: readonly PortSpec[], second: readonly PortSpec[]): readonly PortSpec[] {
  const seen = new Map<string, PortSpec>();
  for (const { port, protocol } of [...first, ...second]) seen.set(`${port}/${protocol}`, { port, protocol });
  return [...seen.values()];
}

function checkedDriver(driver: string): LogDriver {
  const known = logDrivers.find((name) => name === driver);
  if (known !== undefined) return known;
  throw invalid(`logger: no log driver named '${driver}' is registered: there are ${logDrivers.join(', ')}`);
}

function normalized(folder: string): string {
  return folder === '' ? '' : path.posix.normalize(folder);
}
