/** What moves a container through its life: start, stop, restart, kill, pause, wait, remove. */
import type { Container, WaitCondition } from '../../containers/container.ts';
import type { Parts } from '../../containers/parts.ts';
import { pauseContainer, unpauseContainer } from '../../containers/life/pause.ts';
import { ContainerPrune, containerPruneFilterKeys } from '../../containers/life/prune.ts';
import { removeLink } from '../../containers/network/links.ts';
import { removeContainer } from '../../containers/life/remove.ts';
import { renameContainer } from '../../containers/names/rename.ts';
import { restartContainer } from '../../containers/life/restart.ts';
import { startContainer } from '../../containers/life/start.ts';
import { killContainer, stopContainer, type StopOptions } from '../../containers/life/stop.ts';
import { updateContainer } from '../../containers/life/update.ts';
import { invalid } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import type { Exchange } from '../exchange.ts';
import type { Route } from '../router.ts';
import { readUpdateBody } from './create/update-body.ts';

export function lifeRoutes(parts: Parts): readonly Route[] {
  /** A step that has nothing to tell but that it is done. */
  const step = (
    method: Route['method'],
    path: string,
    perform: (container: Container, exchange: Exchange) => Promise<void>,
  ): Route => ({
    method,
    path,
    async handle(exchange) {
      await perform(parts.directory.find(exchange.param('id')), exchange);
      exchange.empty(204);
    },
  });
  const prune = new ContainerPrune();
  return [
    step('POST', '/containers/:id/start', (container, exchange) => {
      refuseBody(exchange);
      return startContainer(parts, container);
    }),
    step('POST', '/containers/:id/stop', (container, exchange) =>
      stopContainer(parts, container, stopOptions(exchange)),
    ),
    step('POST', '/containers/:id/restart', (container, exchange) =>
      restartContainer(parts, container, stopOptions(exchange)),
    ),
    step('POST', '/containers/:id/kill', (container, exchange) =>
      killContainer(parts, container, exchange.query.get('signal') ?? ''),
    ),
    step('POST', '/containers/:id/pause', (container) => pauseContainer(parts, container)),
    step('POST', '/containers/:id/unpause', (container) => unpauseContainer(parts, container)),
    {
      method: 'DELETE',
      path: '/containers/*id',
      async handle(exchange) {
        const id = exchange.param('id');
        if (exchange.flag('link')) await removeLink(parts, id);
        else {
          const options = { isForced: exchange.flag('force'), removesVolumes: exchange.flag('v') };
          await removeContainer(parts, parts.directory.find(id), options);
        }
        exchange.empty(204);
      },
    },
    step('POST', '/containers/:id/rename', (container, exchange) =>
      renameContainer(parts, container, exchange.query.get('name') ?? ''),
    ),
    {
      method: 'POST',
      path: '/containers/:id/update',
      async handle(exchange) {
        const container = parts.directory.find(exchange.param('id'));
        const update = readUpdateBody(await exchange.body());
        const warnings = await updateContainer(parts, container, update);
        exchange.json(200, { Warnings: warnings.length === 0 ? null : warnings });
      },
    },
    {
      method: 'POST',
      path: '/containers/prune',
      async handle(exchange) {
        const filters = parseFilters(exchange.query.get('filters'), containerPruneFilterKeys);
        const { ids, reclaimedBytes } = await prune.run(parts, filters);
        exchange.json(200, { ContainersDeleted: ids.length === 0 ? null : ids, SpaceReclaimed: reclaimedBytes });
      },
    },
    {
      method: 'POST',
      path: '/containers/:id/wait',
      handle: (exchange) => wait(exchange, parts.directory.find(exchange.param('id'))),
    },
  ];
}

/** Clients of long ago sent a host config here; `{}` and `null` are what some still send. */
function refuseBody({ request }: Exchange): void {
  const length = Number(request.headers['content-length'] ?? 0);
  if (length > 7 || request.headers['transfer-encoding'] !== undefined) {
    throw invalid('starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24');
  }
}

function stopOptions(exchange: Exchange): StopOptions {
  return { timeoutSeconds: exchange.integer('t'), signal: exchange.query.get('signal') || null };
}

/** The status line goes at once: the docker CLI starts the container only when it has seen it. */
async function wait(exchange: Exchange, container: Container): Promise<void> {
  const condition = exchange.query.get('condition') || 'not-running';
  if (!isWaitCondition(condition)) throw invalid(`invalid condition: "${condition}"`);
  const waiting = container.wait(condition, exchange.signal);
  const response = exchange.startStream('application/json');
  try {
    const { exitCode, error } = await waiting;
    response.end(
      `${JSON.stringify({ StatusCode: exitCode, ...(error === null ? {} : { Error: { Message: error } }) })}\n`,
    );
  } catch (error) {
    if (!exchange.signal.aborted) throw error;
  }
}

function isWaitCondition(text: string): text is Exclude<WaitCondition, 'at-rest'> {
  return text === 'not-running' || text === 'next-exit' || text === 'removed';
}
