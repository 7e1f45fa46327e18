import { expect, test } from 'vitest';
import { parseRoute, routeHash, type Route } from './route.ts';

const routes: readonly Route[] = [
  { page: 'containers' },
  { page: 'container', machine: 'default', id: 'f00d' },
  { page: 'container', machine: 'a/b %', id: 'ü' },
  { page: 'machines' },
  { page: 'machine', name: 'build.box-1' },
  { page: 'machine', name: 'logs', part: 'logs' },
  { page: 'new-machine' },
];

test.each(routes)('$page survives the way through the address', (route) => {
  expect(parseRoute(routeHash(route))).toEqual(route);
});

test.each(['', '#', '#/', '#/nowhere', '#/containers/only-a-machine', '#/%zz'])(
  '%s leads to the containers',
  (hash) => {
    expect(parseRoute(hash)).toEqual({ page: 'containers' });
  },
);
