/** Swarm and plugins: what a dockerd that is in no swarm and has no plugin answers, in its words, which docker's tools look for. */
import { EngineError, notFound, notImplemented } from '../model/errors.ts';
import type { Route } from './router.ts';

type Endpoint = readonly [method: Route['method'], path: string];

const managerOnly: readonly Endpoint[] = [
  ['GET', '/swarm'],
  ['GET', '/swarm/unlockkey'],
  ['POST', '/swarm/update'],
  ['POST', '/swarm/unlock'],
  ['GET', '/nodes'],
  ['GET', '/nodes/:id'],
  ['DELETE', '/nodes/:id'],
  ['POST', '/nodes/:id/update'],
  ['GET', '/tasks'],
  ['GET', '/tasks/:id'],
  ['GET', '/tasks/:id/logs'],
  ['GET', '/services/:id/logs'],
  ...['services', 'secrets', 'configs'].flatMap((kind): readonly Endpoint[] => [
    ['GET', `/${kind}`],
    ['GET', `/${kind}/:id`],
    ['POST', `/${kind}/create`],
    ['POST', `/${kind}/:id/update`],
    ['DELETE', `/${kind}/:id`],
  ]),
];

const ofOnePlugin: readonly Endpoint[] = [
  ['GET', '/plugins/*name/json'],
  ['POST', '/plugins/*name/enable'],
  ['POST', '/plugins/*name/disable'],
  ['POST', '/plugins/*name/push'],
  ['POST', '/plugins/*name/set'],
  ['POST', '/plugins/*name/upgrade'],
  ['DELETE', '/plugins/*name'],
];

const refused: readonly (readonly [...Endpoint, error: () => Error])[] = [
  ['POST', '/swarm/leave', () => new EngineError('unavailable', 'This node is not part of a swarm')],
  ['POST', '/swarm/init', () => notImplemented('Skiff has no swarm: a swarm cannot be made')],
  ['POST', '/swarm/join', () => notImplemented('Skiff has no swarm: none can be joined')],
  ['POST', '/plugins/pull', noPlugins],
  ['POST', '/plugins/create', noPlugins],
  ['GET', '/plugins/privileges', noPlugins],
  ['GET', '/containers/:id/checkpoints', noCheckpoints],
  ['POST', '/containers/:id/checkpoints', noCheckpoints],
  ['DELETE', '/containers/:id/checkpoints/:name', noCheckpoints],
];

export const swarmRoutes: readonly Route[] = [
  ...refused.map(([method, path, error]): Route => ({
    method,
    path,
    handle() {
      throw error();
    },
  })),
  ...managerOnly.map(([method, path]): Route => ({
    method,
    path,
    handle() {
      throw new EngineError(
        'unavailable',
        'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
      );
    },
  })),
  { method: 'GET', path: '/plugins', handle: (exchange) => exchange.json(200, []) },
  ...ofOnePlugin.map(([method, path]): Route => ({
    method,
    path,
    handle(exchange) {
      throw notFound(`plugin "${exchange.param('name')}" not found`);
    },
  })),
];

function noPlugins(): Error {
  return notImplemented('Skiff has no plugins: none can be installed');
}

/** dockerd's own words, without its advice: there is no experimental mode to start. */
function noCheckpoints(): Error {
  return notImplemented('This experimental feature is disabled: Skiff has no checkpoints');
}
