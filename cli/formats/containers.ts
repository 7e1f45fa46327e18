import type { ContainerSummary, PortSummary } from '../../api/containers.ts';
import { labelList, labelsOf } from './rows.ts';
import type { Row, RowFormat } from './rows.ts';
import { formatSize } from './sizes.ts';
import { formatMoment, humanDuration } from './times.ts';

export type ContainerField =
  | 'Command' | 'CreatedAt' | 'ID' | 'Image' | 'Labels' | 'LocalVolumes' | 'Mounts' | 'Names' | 'Networks' | 'Ports'
  | 'RunningFor' | 'Size' | 'State' | 'Status'; // prettier-ignore

export const containerFormat: RowFormat<ContainerField> = {
  titles: {
    Command: 'COMMAND',
    CreatedAt: 'CREATED AT',
    ID: 'CONTAINER ID',
    Image: 'IMAGE',
    Labels: 'LABELS',
    LocalVolumes: 'LOCAL VOLUMES',
    Mounts: 'MOUNTS',
    Names: 'NAMES',
    Networks: 'NETWORKS',
    Ports: 'PORTS',
    RunningFor: 'CREATED',
    Size: 'SIZE',
    State: 'STATE',
    Status: 'STATUS',
  },
  table: ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'],
  quiet: 'ID',
};

export interface ContainerRowOptions {
  /** `short`: ids of 12 characters, commands of 20. */
  readonly length: 'short' | 'full';
  readonly nowMs: number;
}

/** What `ps` prints of a container. */
export function containerRow(container: ContainerSummary, { length, nowMs }: ContainerRowOptions): Row<ContainerField> {
  const isShort = length === 'short';
  const mounts = container.Mounts.map(({ Name, Source }) => Name ?? Source);
  return {
    Command: JSON.stringify(isShort ? ellipsis(container.Command, 20) : container.Command),
    CreatedAt: formatMoment(new Date(container.Created * 1000)),
    ID: isShort ? container.Id.slice(0, 12) : container.Id,
    Image: container.Image === '' ? '<no image>' : container.Image,
    Labels: labelList(container.Labels),
    LocalVolumes: String(container.Mounts.filter(({ Driver }) => Driver === 'local').length),
    Mounts: mounts.map((mount) => (isShort ? ellipsis(mount, 15) : mount)).join(','),
    Names: container.Names.map((name) => name.replace(/^\//, ''))
      .filter((name) => !name.includes('/'))
      .join(','),
    Networks: Object.keys(container.NetworkSettings.Networks).join(','),
    Ports: formatPorts(container.Ports),
    RunningFor: `${humanDuration(nowMs - container.Created * 1000)} ago`,
    Size: sizeOf(container),
    State: container.State,
    Status: container.Status,
    [labelsOf]: container.Labels,
  };
}

/** `27.3kB (virtual 2.01MB)`: what it wrote, and with its image. */
function sizeOf({ SizeRw, SizeRootFs }: ContainerSummary): string {
  const own = formatSize(SizeRw ?? 0);
  return SizeRootFs ? `${own} (virtual ${formatSize(SizeRootFs)})` : own;
}

export function ellipsis(text: string, width: number): string {
  const characters = [...text];
  return characters.length <= width ? text : `${characters.slice(0, width - 1).join('')}…`;
}

/**
 * `0.0.0.0:8080->80/tcp, 443/tcp`. Runs of ports that are published under their own numbers are joined
 * (`0.0.0.0:90-92->90-92/tcp`), as are runs of exposed ones; others follow one by one.
 */
export function formatPorts(ports: readonly PortSummary[]): string {
  const runs = new Map<string, { address: string; type: string; first: number; last: number }>();
  const lines: string[] = [];
  const mapped: string[] = [];
  for (const { IP, PrivatePort, PublicPort, Type } of [...ports].sort(comparePorts)) {
    const address = IP ?? '';
    if (address !== '' && PublicPort !== PrivatePort) {
      mapped.push(`${joinHostPort(address, String(PublicPort ?? 0))}->${PrivatePort}/${Type}`);
      continue;
    }
    const key = `${address}/${Type}`;
    const run = runs.get(key);
    if (run && PrivatePort === run.last + 1) run.last = PrivatePort;
    else {
      if (run) lines.push(formatRun(run));
      if (run) Object.assign(run, { first: PrivatePort, last: PrivatePort });
      else runs.set(key, { address, type: Type, first: PrivatePort, last: PrivatePort });
    }
  }
  return [...lines, ...[...runs.values()].map(formatRun), ...mapped].join(', ');
}

function formatRun({
  address,
  type,
  first,
  last,
}: {
  address: string;
  type: string;
  first: number;
  last: number;
}): string {
  const range = first === last ? String(first) : `${first}-${last}`;
  return `${address === '' ? '' : `${joinHostPort(address, range)}->`}${range}/${type}`;
}

function joinHostPort(host: string, port: string): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function comparePorts(a: PortSummary, b: PortSummary): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    compareText(a.IP ?? '', b.IP ?? '') ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    compareText(a.Type, b.Type)
  );
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
