import type { ContainerInspect } from '../../../../api/containers.ts';
import type { ContainerSpec } from '../../../containers/spec/spec.ts';
import { portKey } from '../ports.ts';
import { presentVolumes } from './mounts.ts';
import { presentHealthcheck } from './healthcheck.ts';

/** `Config`: what of a container could come from its image. */
export function presentConfig(spec: ContainerSpec): ContainerInspect['Config'] {
  const { process } = spec;
  return {
    Hostname: spec.hostname,
    Domainname: spec.domainname,
    User: process.user,
    AttachStdin: process.attached.stdin,
    AttachStdout: process.attached.stdout,
    AttachStderr: process.attached.stderr,
    ...(spec.network.exposed.length > 0
      ? { ExposedPorts: Object.fromEntries(spec.network.exposed.map((port) => [portKey(port), {}])) }
      : {}),
    Tty: process.hasTerminal,
    OpenStdin: process.isStdinOpen,
    StdinOnce: process.isStdinOnce,
    ...(spec.network.isDisabled ? { NetworkDisabled: true } : {}),
    ...(spec.network.macAddress === null ? {} : { MacAddress: spec.network.macAddress }),
    Env: process.env,
    Cmd: process.command.length > 0 ? process.command : null,
    Image: spec.imageName,
    Volumes: presentVolumes(spec),
    WorkingDir: process.workingDir,
    Entrypoint: process.entrypoint.length > 0 ? process.entrypoint : null,
    Labels: spec.labels,
    OnBuild: null,
    ...(spec.healthcheck === null ? {} : { Healthcheck: presentHealthcheck(spec.healthcheck) }),
    ...(spec.shell === null ? {} : { Shell: spec.shell }),
    ...(spec.stopSignal === null ? {} : { StopSignal: spec.stopSignal }),
    ...(spec.stopTimeoutSeconds === null ? {} : { StopTimeout: spec.stopTimeoutSeconds }),
  };
}
