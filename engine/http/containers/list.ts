import type { Container } from '../../containers/container.ts';
import { countsAsRunning, lastExit } from '../../containers/state.ts';
import type { Directory } from '../../containers/directory.ts';
import type { Images } from '../../images/images.ts';
import type { MountSpec } from '../../containers/spec/spec.ts';
import { EngineError, internal, invalid } from '../../model/errors.ts';
import { booleanFilter, type Filters, passes, passesLabels } from '../../model/filters.ts';
import type { ImageId } from '../../model/ids.ts';
import type { Instant } from '../../model/time.ts';
import { noFolders } from './inspect/mounts.ts';
import { containerSummary } from './summary.ts';

export const containerFilterKeys = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  // Of Windows' containers; here every one passes, as with dockerd.
  'isolation',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];
const healths = ['none', 'starting', 'healthy', 'unhealthy'];

/** dockerd's rules: without `all`, running ones alone; a limit and `status` look at all. Newest first. */
export function listContainers(
  parts: { readonly directory: Directory; readonly images: Images; readonly now: () => Instant },
  options: { readonly isAll: boolean; readonly limit: number | null; readonly filters: Filters },
): readonly Container[] {
  const { filters, isAll } = options;
  const limit = Math.max(0, options.limit ?? 0);
  assertFilterValues(filters);
  if (booleanFilter(filters, 'is-task') === true) return []; // there is no swarm
  const looksAtAll = isAll || limit > 0 || filters.has('status');
  const ancestors = ancestorIds(parts.images, filters);
  const isShownAs = shownAs(filters, parts.now());
  const found = parts.directory
    .all()
    .filter((container) => (looksAtAll || countsAsRunning(container.state)) && matches(container, filters, ancestors))
    .filter(placed(parts.directory, filters))
    .filter(isShownAs);
  return limit === 0 ? found : found.slice(0, limit);
}

function assertFilterValues(filters: Filters): void {
  assertOneOf(filters, 'status', 'state', statuses);
  assertOneOf(filters, 'health', 'health', healths);
  for (const code of filters.get('exited') ?? [])
    if (!/^[+-]?\d+$/.test(code))
      throw invalid(`invalid filter 'exited=${code}': strconv.Atoi: parsing "${code}": invalid syntax`);
}

function assertOneOf(filters: Filters, key: string, what: string, allowed: readonly string[]): void {
  for (const value of filters.get(key) ?? []) {
    if (!allowed.includes(value)) {
      throw invalid(
        `invalid filter '${key}=${value}': invalid value for ${what} (${value}): must be one of ${allowed.join(', ')}`,
      );
    }
  }
}

function matches(
  { id, name, spec, state, history }: Container,
  filters: Filters,
  ancestors: ReadonlySet<ImageId> | null,
): boolean {
  const exitCode = state.status === 'exited' || state.status === 'dead' ? lastExit(state)?.exitCode : undefined;
  return (
    passes(filters, 'id', (value) => patternMatches([id], value)) &&
    passes(filters, 'name', (value) => patternMatches([name, `/${name}`], value)) &&
    passes(filters, 'status', (value) => state.status === value) &&
    passes(filters, 'exited', (value) => exitCode === Number(value)) &&
    passes(filters, 'health', (value) => (history.health ?? 'none') === value) &&
    passes(filters, 'volume', (value) => spec.mounts.some((mount) => isMount(mount, value))) &&
    (ancestors === null || ancestors.has(spec.imageId)) &&
    passesLabels(filters, spec.labels)
  );
}

/** A regular expression; what is none matches nothing, as for dockerd. */
function patternMatches(texts: readonly string[], wanted: string): boolean {
  try {
    const pattern = new RegExp(wanted);
    return texts.some((text) => pattern.test(text));
  } catch {
    return false; // not a regular expression
  }
}

/** By the name of a volume, or by where anything is mounted. */
function isMount(mount: MountSpec, wanted: string): boolean {
  return mount.target === wanted || (mount.kind === 'volume' && mount.name === wanted);
}

/** Filters on what the list shows: networks, and ports as they are published now. */
function shownAs(filters: Filters, now: Instant): (container: Container) => boolean {
  if (!['network', 'publish', 'expose'].some((key) => filters.has(key))) return () => true;
  const published = wantedPorts(filters, 'publish');
  const exposed = wantedPorts(filters, 'expose');
  return (container) => {
    const { NetworkSettings, Ports } = containerSummary(container, now, noFolders);
    const isIn = (network: string): boolean =>
      Object.entries(NetworkSettings.Networks).some(
        ([name, { NetworkID }]) => name === network || (NetworkID !== '' && NetworkID.startsWith(network)),
      );
    return (
      passes(filters, 'network', isIn) &&
      (published === null || Ports.some(({ PublicPort, Type }) => published.has(`${PublicPort ?? ''}/${Type}`))) &&
      (exposed === null || Ports.some(({ PrivatePort, Type }) => exposed.has(`${PrivatePort}/${Type}`)))
    );
  };
}

/** `80`, `80/udp`, `8000-8010/tcp` -> every port in it. */
function wantedPorts(filters: Filters, key: string): ReadonlySet<string> | null {
  const values = filters.get(key);
  if (values === undefined) return null;
  const ports = new Set<string>();
  for (const value of values) {
    const [range = '', protocol = 'tcp'] = value.split('/');
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
    const first = Number(match?.[1] ?? 0);
    const last = Number(match?.[2] ?? first);
    if (match === null || last > 65_535 || last < first) {
      const why = /^\d+$/.test(range) ? 'value out of range' : 'invalid syntax';
      throw internal(`error while looking up for ${key} ${value}: strconv.ParseUint: parsing "${range}": ${why}`);
    }
    for (let port = first; port <= last; port++) ports.add(`${port}/${protocol}`);
  }
  return ports;
}

/** Null when nobody asked. An image that is not there has no containers; that is no error. */
function ancestorIds(images: Images, filters: Filters): ReadonlySet<ImageId> | null {
  const wanted = filters.get('ancestor');
  if (wanted === undefined) return null;
  const ids = new Set<ImageId>();
  for (const text of wanted) {
    try {
      ids.add(images.resolve(text).id);
    } catch (error) {
      if (!(error instanceof EngineError && error.kind === 'not-found')) throw error;
    }
  }
  return ids;
}

function placed(directory: Directory, filters: Filters): (container: Container) => boolean {
  const createdAt = (key: string): string | null => {
    const text = filters.get(key)?.[0];
    return text === undefined ? null : directory.find(text).spec.createdAt;
  };
  const before = createdAt('before');
  const since = createdAt('since');
  return ({ spec }) => (before === null || spec.createdAt < before) && (since === null || spec.createdAt > since);
}
