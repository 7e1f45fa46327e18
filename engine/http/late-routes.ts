import { internal } from '../model/errors.ts';
import type { Exchange } from './exchange.ts';
import type { Route } from './router.ts';

/** A route whose room is not loaded yet: `POST /commit`. With `upgrades`, as an object. */
export type LateRoute = `${Route['method']} /${string}` | Omit<Route, 'handle'>;

/**
 * The routes of a room that few requests need: the room is loaded when the first one comes, once. What is loaded with the
 * engine costs each start, and memory all day; 100 kB of it cost an emulated machine 60 ms.
 *
 * `load` imports the room (`await import('…')`) and returns its routes, which must be exactly those of `routes`.
 */
export function lateRoutes(routes: readonly LateRoute[], load: () => Promise<readonly Route[]>): readonly Route[] {
  const named = routes.map((route) => (typeof route === 'string' ? parseRoute(route) : route));
  let loading: Promise<ReadonlyMap<string, Route>> | null = null;
  const room = (): Promise<ReadonlyMap<string, Route>> => (loading ??= load().then((loaded) => checked(named, loaded)));
  return named.map((route) => ({
    ...route,
    async handle(exchange: Exchange) {
      await (await room()).get(keyOf(route))?.handle(exchange);
    },
  }));
}

function parseRoute(route: `${Route['method']} /${string}`): Omit<Route, 'handle'> {
  const space = route.indexOf(' ');
  return { method: route.slice(0, space) as Route['method'], path: route.slice(space + 1) }; // the type of `route` says so
}

function keyOf({ method, path, upgrades }: Omit<Route, 'handle'>): string {
  return [method, path, ...(upgrades === undefined ? [] : [`(${upgrades})`])].join(' ');
}

/** A route that the room has and the table has not would never be found; the other way round it would answer nothing. */
function checked(named: readonly Omit<Route, 'handle'>[], loaded: readonly Route[]): ReadonlyMap<string, Route> {
  const found = new Map(loaded.map((route) => [keyOf(route), route]));
  const wanted = named.map(keyOf).sort().join(', ');
  const served = [...found.keys()].sort().join(', ');
  if (wanted !== served) throw internal(`late-rooms.ts names the routes ${wanted}; their room serves ${served}`);
  return found;
}
