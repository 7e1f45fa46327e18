/** A container as `GET /containers/json` lists it. */
import type { ContainerSummary, PortSummary } from '../../../api/containers.ts';
import type { Container } from '../../containers/container.ts';
import { liveState } from '../../containers/state.ts';
import { type Instant, parseInstant } from '../../model/time.ts';
import type { EndpointPlan } from '../../networks/networks.ts';
import { presentNetworks } from './inspect/network-settings.ts';
import type { RootSizes } from '../../rootfs/rootfs.ts';
import { humanDuration } from '../human-time.ts';
import { type MountFolders, presentMounts } from './inspect/mounts.ts';

/** What can change though nothing about the container does: time passes, others are linked to it. */
type Passing = 'Names' | 'Status' | 'Health' | 'SizeRw' | 'SizeRootFs';

export function containerSummary(container: Container, now: Instant, folders: MountFolders): ContainerSummary {
  return {
    ...settledSummary(container, folders),
    Names: [`/${container.name}`],
    Status: statusText(container, now),
  };
}

/** The same until the container's name, spec or state is another. */
export function settledSummary(container: Container, folders: MountFolders): Omit<ContainerSummary, Passing> {
  const { id, spec, state } = container;
  const plan = liveState(state)?.endpoint ?? null;
  return {
    Id: id,
    Image: spec.imageName,
    ImageID: spec.imageId,
    Command: commandText([...spec.process.entrypoint, ...spec.process.command]),
    Created: Number((parseInstant(spec.createdAt) ?? 0n) / 1_000_000_000n),
    Ports: ports(container, plan),
    Labels: spec.labels,
    State: state.status,
    HostConfig: { NetworkMode: spec.network.shownMode },
    NetworkSettings: { Networks: presentNetworks(container) },
    Mounts: presentMounts(spec, folders),
  };
}

/** As a shell would need it; only words with something special are quoted. */
function commandText(words: readonly string[]): string {
  return words
    .map((word) => (/[\s'"\\$]/.test(word) || word === '' ? `'${word.replaceAll("'", `'\\''`)}'` : word))
    .join(' ');
}

/** `Up 3 minutes (healthy)`: for people. */
export function statusText({ state, history }: Pick<Container, 'state' | 'history'>, now: Instant): string {
  const since = (time: string): string =>
    humanDuration(Number((now - (parseInstant(time) ?? now)) / 1_000_000n) / 1000);
  switch (state.status) {
    case 'created':
      return 'Created';
    case 'running':
      return `Up ${since(state.startedAt)}${healthText(history.health)}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'restarting':
      return `Restarting (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.finishedAt)} ago`;
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}

function healthText(health: Container['history']['health']): string {
  if (health === null) return '';
  return health === 'starting' ? ' (health: starting)' : ` (${health})`;
}

function ports({ spec }: Container, plan: EndpointPlan | null): readonly PortSummary[] {
  if (plan === null || plan.mode !== 'network') return [];
  const published = plan.ports.map((port) => ({
    IP: port.hostAddress,
    PrivatePort: port.port,
    PublicPort: port.hostPort,
    Type: port.protocol,
  }));
  const isPublished = new Set(plan.ports.map(({ port, protocol }) => `${port}/${protocol}`));
  const exposed = spec.network.exposed.filter(({ port, protocol }) => !isPublished.has(`${port}/${protocol}`));
  return [...published, ...exposed.map(({ port, protocol }) => ({ PrivatePort: port, Type: protocol }))];
}

export function presentSizes(sizes: RootSizes | undefined): { readonly SizeRw: number; readonly SizeRootFs: number } {
  return { SizeRw: sizes?.writtenBytes ?? 0, SizeRootFs: sizes?.totalBytes ?? 0 };
}
