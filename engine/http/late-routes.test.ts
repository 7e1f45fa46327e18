import { expect, it } from 'vitest';
import type { Exchange } from './exchange.ts';
import { lateRoutes } from './late-routes.ts';
import type { Route } from './router.ts';

const exchange = {} as Exchange; // the routes below do not look at it

it('loads a room at its first request, and once', async () => {
  const done: string[] = [];
  const room = (): Promise<readonly Route[]> => {
    done.push('loaded');
    return Promise.resolve([
      { method: 'GET', path: '/a', handle: () => void done.push('a') },
      { method: 'POST', path: '/b', upgrades: 'tcp', handle: () => void done.push('b') },
    ]);
  };
  const routes = lateRoutes(['GET /a', { method: 'POST', path: '/b', upgrades: 'tcp' }], room);
  expect(routes.map(({ method, path, upgrades }) => [method, path, upgrades])).toEqual([
    ['GET', '/a', undefined],
    ['POST', '/b', 'tcp'],
  ]);
  expect(done).toEqual([]);
  await Promise.all(routes.map(async (route) => route.handle(exchange)));
  await routes[0]?.handle(exchange);
  expect(done).toEqual(['loaded', 'a', 'b', 'a']);
});

it('refuses a room that serves other routes than its line says', async () => {
  const routes = lateRoutes(['GET /a', 'GET /b'], () =>
    Promise.resolve([{ method: 'GET', path: '/a', handle: () => undefined }]),
  );
  await expect(routes[0]?.handle(exchange)).rejects.toThrow(
    'names the routes GET /a, GET /b; their room serves GET /a',
  );
});
