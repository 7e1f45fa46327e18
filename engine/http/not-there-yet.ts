import { EngineError, notFound, notImplemented } from '../model/errors.ts';
import type { Route } from './router.ts';

/** Endpoints of the Engine API that this engine does not have yet: they say so, instead of looking like a misspelt path. */
const missing: readonly (readonly [method: Route['method'], path: string, what: string])[] = [
  ['POST', '/commit', 'commit'],
  ['GET', '/images/*name/history', 'history'],
  ['GET', '/images/*name/get', 'save'],
  ['GET', '/images/get', 'save'],
  ['POST', '/images/*name/push', 'push'],
  ['POST', '/images/prune', 'image prune'],
  ['GET', '/images/search', 'search'],
  ['GET', '/distribution/*name/json', 'reading a registry'],
  ['POST', '/auth', 'login'],
  ['POST', '/build', 'build'],
  ['POST', '/build/prune', 'build prune'],
  ['POST', '/session', 'BuildKit'],
  ['POST', '/grpc', 'BuildKit'],
];

const swarm: readonly (readonly [method: Route['method'], path: string])[] = [
  ['GET', '/swarm'],
  ['GET', '/nodes'],
  ['GET', '/services'],
  ['GET', '/tasks'],
  ['GET', '/secrets'],
  ['GET', '/configs'],
];

export const notThereYetRoutes: readonly Route[] = [
  ...missing.map(([method, path, what]): Route => ({
    method,
    path,
    handle() {
      throw notImplemented(`${what} is not there yet in this version of the Skiff engine`);
    },
  })),
  ...swarm.map(([method, path]): Route => ({
    method,
    path,
    handle() {
      throw new EngineError('unavailable', 'This node is not a swarm manager. Skiff has no swarm.');
    },
  })),
  { method: 'GET', path: '/plugins', handle: (exchange) => exchange.json(200, []) },
  {
    method: 'GET',
    path: '/plugins/*name/json',
    handle: (exchange) => none(`plugin "${exchange.param('name')}" not found`),
  },
];

/** Of things that cannot be made yet there are none: that is the truth, and what `docker inspect` wants to hear. */
function none(message: string): never {
  throw notFound(message);
}
