import type { CreateContainerBody } from '../../api/containers.ts';
import { parseEnvironment, parseLabels, pairsOfFile } from './environment.ts';
import type { EnvironmentSources } from './environment.ts';
import { healthcheckOf } from './health.ts';
import { hostConfig } from './host-config.ts';
import { networkingOf } from './networks.ts';
import { parseExposed, parsePublished } from './ports.ts';
import type { RunFlags } from './run-flags.ts';
import { parseVolumes } from './volumes.ts';

export interface CreateSources extends EnvironmentSources {
  readonly workingDir: string;
  /** Of the terminal, where there is one. */
  readonly consoleSize: readonly [rows: number, columns: number] | null;
}

export interface AttachedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Which streams `-a`, `-d` and `-i` ask for. */
export function attachedStreams(flags: RunFlags): AttachedStreams {
  const { attach } = flags;
  if (flags.detach) return { stdin: false, stdout: false, stderr: false };
  if (attach.length === 0) return { stdin: flags.interactive, stdout: true, stderr: true };
  return {
    stdin: flags.interactive || attach.includes('stdin'),
    stdout: attach.includes('stdout'),
    stderr: attach.includes('stderr'),
  };
}

/** What `run` and `create` ask the engine for. Throws RangeError in docker's words. */
export function createBody(
  flags: RunFlags,
  [image = '', ...command]: readonly string[],
  sources: CreateSources,
): CreateContainerBody {
  if (flags.rm && flags.restart && flags.restart.Name !== 'no') {
    throw new RangeError('conflicting options: cannot specify both --restart and --rm');
  }
  const streams = attachedStreams(flags);
  const ports = parsePublished(flags.publish);
  const volumes = parseVolumes(flags.volume, sources.workingDir);
  const labelsOfFiles = flags.labelFile.flatMap((path) => pairsOfFile(sources.readFile(path), path));
  const networkAlias = [...flags.networkAlias, ...flags.netAlias];
  const networking = networkingOf([...flags.network, ...flags.net], { ...flags, networkAlias });
  const { consoleSize, readFile } = sources;
  return {
    Image: image,
    ...(command.length > 0 ? { Cmd: command } : {}),
    // An empty --entrypoint takes the image's away.
    ...(flags.entrypoint === undefined ? {} : { Entrypoint: [flags.entrypoint] }),
    Env: parseEnvironment(flags, sources),
    Labels: parseLabels([...labelsOfFiles, ...flags.label]),
    AttachStdin: streams.stdin,
    AttachStdout: streams.stdout,
    AttachStderr: streams.stderr,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && streams.stdin,
    Tty: flags.tty,
    ExposedPorts: { ...ports.exposed, ...parseExposed(flags.expose) },
    Volumes: volumes.anonymous,
    ...given({
      Hostname: flags.hostname,
      Domainname: flags.domainname,
      User: flags.user,
      WorkingDir: flags.workdir,
      StopSignal: flags.stopSignal,
      StopTimeout: flags.stopTimeout,
      Healthcheck: healthcheckOf(flags),
    }),
    HostConfig: hostConfig(flags, { ports, volumes, networkMode: networking.mode, consoleSize, readFile }),
    ...(Object.keys(networking.endpoints).length > 0
      ? { NetworkingConfig: { EndpointsConfig: networking.endpoints } }
      : {}),
  };
}

/** Without the fields that nobody asked for: the engine has defaults of its own for them. */
function given<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}
