import type { CreateContainerBody, HostConfig } from '../../api/containers.ts';
import { parseEnvironment, parseLabels, pairsOfFile } from './environment.ts';
import type { EnvironmentSources } from './environment.ts';
import { parseExposed, parsePublished } from './ports.ts';
import type { RunFlags } from './run-flags.ts';
import { parseVolumes } from './volumes.ts';

export interface CreateSources extends EnvironmentSources {
  readonly workingDir: string;
  /** Of the terminal, where there is one. */
  readonly consoleSize: readonly [rows: number, columns: number] | null;
}

export interface CreateRequest {
  readonly body: CreateContainerBody;
  /** Sources of binds that are paths. */
  readonly boundPaths: readonly string[];
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
  return { stdin: attach.includes('stdin'), stdout: attach.includes('stdout'), stderr: attach.includes('stderr') };
}

/** What `run` and `create` ask the engine for. Throws RangeError in docker's words. */
export function createRequest(
  flags: RunFlags,
  [image = '', ...command]: readonly string[],
  sources: CreateSources,
): CreateRequest {
  if (flags.rm && flags.restart && flags.restart.Name !== 'no') {
    throw new RangeError('conflicting options: cannot specify both --restart and --rm');
  }
  const streams = attachedStreams(flags);
  const ports = parsePublished(flags.publish);
  const volumes = parseVolumes(flags.volume, sources.workingDir);
  const labelsOfFiles = flags.labelFile.flatMap((path) => pairsOfFile(sources.readFile(path), path));
  const body: CreateContainerBody = {
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
    }),
    HostConfig: hostConfig(flags, { ports, volumes, consoleSize: sources.consoleSize }),
  };
  return { body, boundPaths: volumes.paths };
}

function hostConfig(
  flags: RunFlags,
  parsed: {
    readonly ports: ReturnType<typeof parsePublished>;
    readonly volumes: ReturnType<typeof parseVolumes>;
    readonly consoleSize: CreateSources['consoleSize'];
  },
): HostConfig {
  return {
    Binds: parsed.volumes.binds,
    PortBindings: parsed.ports.bindings,
    PublishAllPorts: flags.publishAll,
    NetworkMode: flags.network ?? flags.net ?? 'default',
    AutoRemove: flags.rm,
    RestartPolicy: flags.restart ?? { Name: 'no', MaximumRetryCount: 0 },
    Privileged: flags.privileged,
    ReadonlyRootfs: flags.readOnly,
    ...given({
      CapAdd: nonEmpty(flags.capAdd),
      CapDrop: nonEmpty(flags.capDrop),
      SecurityOpt: nonEmpty(flags.securityOpt),
      Dns: nonEmpty(flags.dns),
      DnsSearch: nonEmpty(flags.dnsSearch),
      DnsOptions: nonEmpty(flags.dnsOption),
      ExtraHosts: nonEmpty(flags.addHost),
      Memory: flags.memory,
      MemorySwap: flags.memorySwap,
      NanoCpus: flags.cpus,
      CpuShares: flags.cpuShares,
      CpuPeriod: flags.cpuPeriod,
      CpuQuota: flags.cpuQuota,
      CpusetCpus: flags.cpusetCpus,
      PidsLimit: flags.pidsLimit,
      ShmSize: flags.shmSize,
      Tmpfs: flags.tmpfs.length > 0 ? Object.fromEntries(flags.tmpfs.map(tmpfsEntry)) : undefined,
      ConsoleSize: flags.tty ? (parsed.consoleSize ?? undefined) : undefined,
      LogConfig:
        flags.logDriver === undefined && flags.logOpt.length === 0
          ? undefined
          : { Type: flags.logDriver ?? '', Config: parseLabels(flags.logOpt) },
    }),
  };
}

/** Without the fields that nobody asked for: the engine has defaults of its own for them. */
function given<T extends object>(fields: T): Partial<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Partial<T>;
}

function nonEmpty(list: readonly string[]): readonly string[] | undefined {
  return list.length > 0 ? list : undefined;
}

function tmpfsEntry(text: string): [string, string] {
  const at = text.indexOf(':');
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
