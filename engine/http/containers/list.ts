import type { Container } from '../../containers/container.ts';
import { countsAsRunning, lastExit } from '../../containers/state.ts';
import type { Directory } from '../../containers/directory.ts';
import type { Images } from '../../images/images.ts';
import { EngineError, invalid } from '../../model/errors.ts';
import { type Filters, passes, passesLabels } from '../../model/filters.ts';
import type { ImageId } from '../../model/ids.ts';

export const containerFilterKeys = [
  'ancestor',
  'before',
  'exited',
  'expose',
  'health',
  'id',
  'is-task',
  'label',
  'name',
  'network',
  'publish',
  'since',
  'status',
  'volume',
];

const statuses = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'];

/** Docker's rules: without `all`, running ones alone; a limit, `exited`, `status`, `before` and `since` look at all. Newest first. */
export function listContainers(
  parts: { readonly directory: Directory; readonly images: Images },
  options: { readonly isAll: boolean; readonly limit: number | null; readonly filters: Filters },
): readonly Container[] {
  const { filters, limit, isAll } = options;
  assertFilterValues(filters);
  const looksAtAll = isAll || limit !== null || ['status', 'exited', 'before', 'since'].some((key) => filters.has(key));
  const ancestors = ancestorIds(parts.images, filters);
  const found = parts.directory
    .all()
    .filter((container) => (looksAtAll || countsAsRunning(container.state)) && matches(container, filters, ancestors))
    .filter(placed(parts.directory, filters));
  return limit === null || limit <= 0 ? found : found.slice(0, limit);
}

function assertFilterValues(filters: Filters): void {
  for (const status of filters.get('status') ?? []) {
    if (!statuses.includes(status)) throw invalid(`invalid filter 'status=${status}'`);
  }
  for (const code of filters.get('exited') ?? [])
    if (!/^-?\d+$/.test(code)) throw invalid(`invalid filter 'exited=${code}'`);
  for (const key of ['health', 'volume', 'is-task', 'publish', 'expose'] as const) {
    if (filters.has(key))
      throw new EngineError('not-implemented', `filter '${key}' is not there yet in this version of the Skiff engine`);
  }
}

function matches(
  { id, name, spec, state }: Container,
  filters: Filters,
  ancestors: ReadonlySet<ImageId> | null,
): boolean {
  const exit = lastExit(state);
  return (
    passes(filters, 'id', (value) => id.startsWith(value)) &&
    passes(filters, 'name', (value) => nameMatches(name, value)) &&
    passes(filters, 'status', (value) => state.status === value) &&
    passes(filters, 'exited', (value) => exit !== null && exit.exitCode === Number(value)) &&
    passes(filters, 'network', (value) => spec.network.shownMode === value) &&
    (ancestors === null || ancestors.has(spec.imageId)) &&
    passesLabels(filters, spec.labels)
  );
}

/** A regular expression on the name with or without its slash; what is none is taken as plain text. */
function nameMatches(name: string, wanted: string): boolean {
  try {
    const pattern = new RegExp(wanted);
    return pattern.test(name) || pattern.test(`/${name}`);
  } catch {
    return name.includes(wanted); // not a regular expression: plain text
  }
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
