import type { Container } from '../../containers/container.ts';
import { publishContainerEvent } from '../../containers/container-events.ts';
import { linkedNames, shownLinks } from '../../containers/network/linked-containers.ts';
import { createContainer } from '../../containers/life/create.ts';
import { fitToHost } from '../../containers/spec/fit-to-host.ts';
import type { Parts } from '../../containers/parts.ts';
import { liveState } from '../../containers/state.ts';
import { conflict, EngineError } from '../../model/errors.ts';
import { assertPlatform, foreignPlatformWarning, parseWantedPlatform } from '../../images/wanted-platform.ts';
import { parseFilters } from '../../model/filters.ts';
import type { ContainerId } from '../../model/ids.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { terminalSize } from '../terminal-size.ts';
import { attachRoutes } from './attach.ts';
import { readCreateBody } from './create/body.ts';
import { presentHealthSummary } from './inspect/healthcheck.ts';
import { inspectContainer } from './inspect/inspect.ts';
import { mountFoldersOf } from './inspect/mounts.ts';
import { lifeRoutes } from './life.ts';
import { ListText } from './list-text.ts';
import { containerFilterKeys, listContainers } from './list.ts';
import { logsRoute } from './logs.ts';
import { statsRoute } from './stats.ts';
import { presentSizes, statusText } from './summary.ts';

export function containerRoutes(parts: Parts): readonly Route[] {
  const texts = new ListText();
  const find = (exchange: Exchange): Container => parts.directory.find(exchange.param('id'));
  return [
    { method: 'GET', path: '/containers/json', handle: (exchange) => list(parts, texts, exchange) },
    { method: 'POST', path: '/containers/create', handle: (exchange) => create(parts, exchange) },
    {
      method: 'GET',
      path: '/containers/:id/json',
      handle: (exchange) => inspect(parts, exchange, find(exchange)),
    },
    ...lifeRoutes(parts),
    { method: 'POST', path: '/containers/:id/resize', handle: (exchange) => resize(parts, exchange, find(exchange)) },
    ...attachRoutes(parts),
    logsRoute(parts),
    statsRoute(parts),
  ];
}

async function list(parts: Parts, texts: ListText, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), containerFilterKeys);
  const found = listContainers(parts, { isAll: exchange.flag('all'), limit: exchange.integer('limit'), filters });
  const now = parts.now();
  const linked = linkedNames(parts.directory);
  const sizes = exchange.flag('size') ? await parts.roots.sizes(found.map(({ id }) => id)) : null;
  const entries = found.map((container, index) =>
    texts.entry(container, exchange.version, mountFoldersOf(parts, container), {
      Names: [`/${container.name}`, ...(linked.get(container.id) ?? [])].sort(),
      Status: statusText(container, now),
      Health: presentHealthSummary(parts.health.healthOf(container)),
      ...(sizes === null ? {} : presentSizes(sizes[index])),
    }),
  );
  exchange.text(200, 'application/json', `[${entries.join(',')}]\n`);
}

async function create(parts: Parts, exchange: Exchange): Promise<void> {
  const name = exchange.query.get('name');
  const asked = readCreateBody(await exchange.body(), name === '' ? null : name, (reference) => idOf(parts, reference));
  const { request, warnings } = fitToHost(asked, parts.host);
  const foreign = checkPlatform(parts, exchange, request.imageName);
  const container = await createContainer(parts, request);
  const isPublishing =
    request.network.mode !== 'network' && (request.network.exposed.length > 0 || request.network.publishesAll);
  const macWarning =
    request.network.macAddress !== null && exchange.isSince('1.44')
      ? ['The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.']
      : [];
  const discarded =
    isPublishing && request.network.mode === 'host'
      ? ['Published ports are discarded when using host network mode']
      : [];
  exchange.json(201, { Id: container.id, Warnings: [...foreign, ...warnings, ...macWarning, ...discarded] });
}

/** Docker's warnings. Throws `not-found` when the image is for another platform than the one that was asked for. */
function checkPlatform({ images }: Parts, exchange: Exchange, name: string): readonly string[] {
  const platform = exchange.isSince('1.41') ? parseWantedPlatform(exchange.query.get('platform') ?? '') : null;
  const { config } = images.resolve(name);
  if (platform !== null) assertPlatform(config, { platform, name });
  const warning = platform === null ? foreignPlatformWarning(config) : null;
  return warning === null ? [] : [warning];
}

function idOf({ directory }: Parts, reference: string): ContainerId | null {
  try {
    return directory.find(reference).id;
  } catch (error) {
    if (error instanceof EngineError && error.kind === 'not-found') return null;
    throw error;
  }
}

async function inspect(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const shown = inspectContainer(container, {
    root: parts.roots.get(container.id),
    folders: mountFoldersOf(parts, container),
    execIds: parts.execs.liveIn(container),
    links: shownLinks(parts.directory, container),
    health: parts.health.healthOf(container),
  });
  if (!exchange.flag('size')) return exchange.answer('container', shown);
  const [sizes] = await parts.roots.sizes([container.id]);
  exchange.answer('container', { ...shown, ...presentSizes(sizes) });
}

async function resize(parts: Parts, exchange: Exchange, container: Container): Promise<void> {
  const size = terminalSize(exchange);
  if (liveState(container.state) === null) throw conflict(`container ${container.id} is not running`);
  if (container.spec.process.hasTerminal) await parts.monitor.resize(container.id, size);
  publishContainerEvent(parts, container, 'resize', { height: String(size.rows), width: String(size.columns) });
  exchange.empty(200);
}
