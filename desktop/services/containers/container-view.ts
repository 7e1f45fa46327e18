/** Containers of the Engine API in the desktop's words: from a row of a list, and from the whole of one. */
import type { ContainerInspect, ContainerSummary, PortMap, PortSummary } from '../../../api/containers.ts';
import type { Container, ContainerDetails, ContainerPort } from '../../contract/containers.ts';

type BarePort = Pick<ContainerPort, 'containerPort' | 'protocol' | 'published'>;

/** A container without how its ports are reached from this computer, which is not the engine's to know. */
export type BareContainer = Omit<Container, 'ports'> & { readonly ports: readonly BarePort[] };

/** Docker's way of saying that something never happened. */
const neverYear = '0001-';

/** A list tells neither exit codes nor times of start and end (but in words that age): those stay null. */
export function fromSummary(machine: string, summary: ContainerSummary): BareContainer {
  return {
    machine,
    id: summary.Id,
    name: (summary.Names[0] ?? '').replace(/^\//, ''),
    image: summary.Image,
    imageId: summary.ImageID,
    command: summary.Command,
    state: summary.State,
    createdAt: summary.Created * 1000,
    startedAt: null,
    finishedAt: null,
    exitCode: null,
    error: null,
    ports: oncePerPort(summary.Ports.map(portOfSummary)),
    labels: { ...summary.Labels },
  };
}

export function fromInspect(machine: string, inspect: ContainerInspect): BareContainer {
  const { State: state } = inspect;
  const hasEnded = state.Status === 'exited' || state.Status === 'dead';
  return {
    machine,
    id: inspect.Id,
    name: inspect.Name.replace(/^\//, ''),
    image: inspect.Config.Image ?? inspect.Image,
    imageId: inspect.Image,
    command: commandLine([inspect.Path, ...inspect.Args]),
    state: state.Status,
    createdAt: Date.parse(inspect.Created),
    startedAt: momentOf(state.StartedAt),
    finishedAt: momentOf(state.FinishedAt),
    exitCode: hasEnded ? state.ExitCode : null,
    error: state.Error === '' ? null : state.Error,
    ports: oncePerPort(portsOfMap(inspect.NetworkSettings.Ports)),
    labels: { ...inspect.Config.Labels },
  };
}

export function detailsOf(container: Container, inspect: ContainerInspect): ContainerDetails {
  const { Config: config, HostConfig: host } = inspect;
  return {
    container,
    argv: [inspect.Path, ...inspect.Args].filter((part) => part !== ''),
    workingDir: config.WorkingDir || '/',
    user: config.User ?? '',
    isTty: config.Tty ?? false,
    env: (config.Env ?? []).map((pair) => {
      const at = pair.indexOf('=');
      return at < 0 ? { name: pair, value: '' } : { name: pair.slice(0, at), value: pair.slice(at + 1) };
    }),
    mounts: inspect.Mounts.map(({ Type, Name, Source, Destination, RW }) => ({
      type: Type,
      source: Name ?? Source,
      destination: Destination,
      isReadOnly: !RW,
    })),
    networks: Object.entries(inspect.NetworkSettings.Networks).map(([name, endpoint]) => ({
      name,
      ipAddress: endpoint.IPAddress,
      gateway: endpoint.Gateway,
      macAddress: endpoint.MacAddress,
    })),
    restartPolicy: host.RestartPolicy?.Name || 'no',
    restartCount: inspect.RestartCount,
    raw: { ...inspect },
  };
}

function momentOf(time: string): number | null {
  if (time === '' || time.startsWith(neverYear)) return null;
  const moment = Date.parse(time);
  return Number.isNaN(moment) ? null : moment;
}

/** For people: quoted only where a space would mislead. */
function commandLine(argv: readonly string[]): string {
  return argv
    .filter((part, index) => index > 0 || part !== '')
    .map((part) => (part === '' || /\s/.test(part) ? JSON.stringify(part) : part))
    .join(' ');
}

function portOfSummary({ IP, PrivatePort, PublicPort, Type }: PortSummary): BarePort {
  const published = PublicPort === undefined ? null : { ip: IP ?? '', port: PublicPort };
  return { containerPort: PrivatePort, protocol: Type, published };
}

function portsOfMap(map: PortMap): BarePort[] {
  return Object.entries(map).flatMap(([key, bindings]) => {
    const [port = '', type] = key.split('/');
    const protocol = type === 'udp' || type === 'sctp' ? type : 'tcp';
    const bare: BarePort = { containerPort: Number(port), protocol, published: null };
    if (!bindings || bindings.length === 0) return [bare];
    return bindings.map(({ HostIp, HostPort }) => ({
      ...bare,
      published: { ip: HostIp ?? '', port: Number(HostPort) },
    }));
  });
}

/** Sorted; an engine publishes one port on IPv4 and IPv6 alike, which is one port to a person. */
function oncePerPort(ports: readonly BarePort[]): BarePort[] {
  const seen = new Map<string, BarePort>();
  for (const port of ports) {
    const key = `${port.containerPort}/${port.protocol}/${port.published?.port ?? ''}`;
    const before = seen.get(key);
    if (!before || before.published?.ip.includes(':')) seen.set(key, port);
  }
  return [...seen.values()].toSorted(
    (a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol),
  );
}
