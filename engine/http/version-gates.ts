/**
 * Which fields an answer has for a client of which version: the one place that knows. Presenters make every field that any
 * version has; `gated` leaves out those that the client's does not. What this engine never has is not here. Measured on dockerd 28.5 for 1.40 to 1.51; above that from
 * the Engine API's version history.
 */
import { compareApiVersions } from '../../api/version.ts';

/** What is answered: `container` and `image` are inspect, `-list` their lists (a gate's field is then one of an item). */
export type Shape = 'container' | 'container-list' | 'image' | 'image-list' | 'info' | 'disk-usage' | 'event';

export interface Gate {
  readonly shape: Shape;
  /** `NetworkSettings.IPAddress`; lists on the way are walked: `Images[].VirtualSize`. */
  readonly field: string;
  /** The first version that has it. */
  readonly since?: string;
  /** The first version that has it no more. */
  readonly until?: string;
  /** Only while it is empty: the first version that leaves it out then. */
  readonly whenEmpty?: 'left-out';
}

const until = (shape: Shape, version: string, fields: readonly string[]): readonly Gate[] =>
  fields.map((field) => ({ shape, field, until: version }));
const since = (shape: Shape, version: string, fields: readonly string[]): readonly Gate[] =>
  fields.map((field) => ({ shape, field, since: version }));

export const gates: readonly Gate[] = [
  ...until('info', '1.42', ['KernelMemory']),
  ...until('image', '1.44', ['VirtualSize']),
  ...until('image-list', '1.44', ['VirtualSize']),
  ...until('disk-usage', '1.44', ['Images[].VirtualSize']),
  ...since('info', '1.49', ['FirewallBackend']),
  ...since('info', '1.50', ['DiscoveredDevices']),
  ...until('info', '1.50', ['BridgeNfIptables', 'BridgeNfIp6tables']),
  ...until('event', '1.52', ['status', 'id', 'from']),
  ...since('container-list', '1.52', ['Health']),
  ...until('container', '1.52', [
    'NetworkSettings.Bridge',
    'NetworkSettings.HairpinMode',
    'NetworkSettings.LinkLocalIPv6Address',
    'NetworkSettings.LinkLocalIPv6PrefixLen',
    'NetworkSettings.SecondaryIPAddresses',
    'NetworkSettings.SecondaryIPv6Addresses',
    'NetworkSettings.EndpointID',
    'NetworkSettings.Gateway',
    'NetworkSettings.GlobalIPv6Address',
    'NetworkSettings.GlobalIPv6PrefixLen',
    'NetworkSettings.IPAddress',
    'NetworkSettings.IPPrefixLen',
    'NetworkSettings.IPv6Gateway',
    'NetworkSettings.MacAddress',
  ]),
  ...[
    'Config.Cmd',
    'Config.Entrypoint',
    'Config.Env',
    'Config.Labels',
    'Config.OnBuild',
    'Config.User',
    'Config.Volumes',
    'Config.WorkingDir',
    'Author',
    'Comment',
    'DockerVersion',
    'Parent',
  ].map((field): Gate => ({ shape: 'image', field, until: '1.52', whenEmpty: 'left-out' })),
];

/** The answer as a client of that version knows it. What is of no concern is not copied. */
export function gated(shape: Shape, version: string, answer: unknown): unknown {
  let shown = answer;
  for (const gate of gates) {
    if (gate.shape === shape && isClosed(gate, version)) shown = without(shown, pathOf(gate.field), gate);
  }
  return shown;
}

function isClosed(gate: Gate, version: string): boolean {
  const isTooOld = gate.since !== undefined && compareApiVersions(version, gate.since) < 0;
  return isTooOld || (gate.until !== undefined && compareApiVersions(version, gate.until) >= 0);
}

/** `Images[].VirtualSize` -> `Images`, `[]`, `VirtualSize`. */
function pathOf(field: string): readonly string[] {
  return field.replaceAll('[]', '.[]').split('.');
}

function without(value: unknown, path: readonly string[], gate: Gate): unknown {
  const [head = '', ...rest] = path;
  // A list of the shape's own objects has no step of its own in the path.
  if (Array.isArray(value)) {
    const inner = head === '[]' ? rest : path;
    return value.map((item) => without(item, inner, gate));
  }
  if (typeof value !== 'object' || value === null) return value;
  const fields = value as Readonly<Record<string, unknown>>;
  if (!(head in fields)) return value;
  if (rest.length > 0) return { ...fields, [head]: without(fields[head], rest, gate) };
  if (gate.whenEmpty === 'left-out' && !isEmpty(fields[head])) return value;
  const { [head]: _, ...others } = fields;
  return others;
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
