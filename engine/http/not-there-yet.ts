import { notImplemented } from '../model/errors.ts';
import type { Route } from './router.ts';

/** Endpoints of the Engine API that this engine does not have yet: they say so, instead of looking like a misspelt path. */
const missing: readonly (readonly [method: Route['method'], path: string, what: string])[] = [
  ['POST', '/build', 'build'],
  ['POST', '/build/prune', 'build prune'],
  ['POST', '/session', 'BuildKit'],
  ['POST', '/grpc', 'BuildKit'],
];

export const notThereYetRoutes: readonly Route[] = missing.map(([method, path, what]): Route => ({
  method,
  path,
  handle() {
    throw notImplemented(`${what} is not there yet in this version of the Skiff engine`);
  },
}));
