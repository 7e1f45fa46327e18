import { compareApiVersions, newestApiVersion, oldestApiVersion } from '../../api/version.ts';
import { invalid, notFound } from '../model/errors.ts';
import type { Exchange } from './exchange.ts';

export interface Route {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** `:part` stands for one segment, `*part` for one or more (image names have slashes): `/images/*name/json`. */
  readonly path: string;
  /** The connection may be taken over, by a client that asks for it with this `Upgrade`. */
  readonly upgrades?: 'tcp' | 'websocket';
  handle(exchange: Exchange): Promise<void> | void;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
  readonly version: string;
}

/** Finds the route of a request. Throws what Docker answers: 404 for an unknown path or method, 400 for a version out of range. */
export class Router {
  readonly #routes: readonly RoutePattern[];

  constructor(routes: readonly Route[]) {
    this.#routes = routes.map((route) => new RoutePattern(route));
  }

  match(method: string, pathname: string): Match {
    const { version, rest } = splitVersion(pathname);
    for (const pattern of this.#routes) {
      const { route } = pattern;
      if (route.method !== method) continue;
      const parts = pattern.match(rest);
      if (parts !== null) return { route, version, params: decodeParts(parts) };
    }
    throw notFound('page not found');
  }
}

/** Its expression is made when a path begins like it for the first time: an engine that starts has none of its hundred to compile. */
class RoutePattern {
  readonly route: Route;
  /** What comes before the first part that is not told in advance. */
  readonly #literal: string;
  #expression: RegExp | null = null;

  constructor(route: Route) {
    this.route = route;
    const end = [':', '*'].map((sign) => route.path.indexOf(sign)).filter((index) => index !== -1);
    this.#literal = route.path.slice(0, Math.min(...end, route.path.length));
  }

  /** The parts of the path by their names; null when it is another path. */
  match(pathname: string): Readonly<Record<string, string>> | null {
    if (this.#literal === this.route.path) return pathname === this.#literal ? {} : null;
    if (!pathname.startsWith(this.#literal)) return null;
    this.#expression ??= patternOf(this.route.path);
    return this.#expression.exec(pathname)?.groups ?? null;
  }
}

function splitVersion(pathname: string): { version: string; rest: string } {
  const match = /^\/v(\d+\.\d+)(\/.*)$/.exec(pathname);
  const version = match?.[1];
  const rest = match?.[2];
  if (version === undefined || rest === undefined) return { version: newestApiVersion, rest: pathname };
  if (compareApiVersions(version, newestApiVersion) > 0) {
    throw invalid(`client version ${version} is too new. Maximum supported API version is ${newestApiVersion}`);
  }
  if (compareApiVersions(version, oldestApiVersion) < 0) {
    throw invalid(
      `client version ${version} is too old. Minimum supported API version is ${oldestApiVersion}, please upgrade your client to a newer version`,
    );
  }
  return { version, rest };
}

function patternOf(path: string): RegExp {
  const source = path
    .replace(/[.]/g, '\\.')
    // A container may be named by a link that leads to it: `parent/alias`.
    .replace('/containers/:id', '/containers/(?<id>[^/]+(?:/[^/]+)?)')
    .replace(/([:*])(\w+)/g, (_, kind, name) => (kind === ':' ? `(?<${name}>[^/]+)` : `(?<${name}>.+)`));
  return new RegExp(`^${source}$`);
}

function decodeParts(parts: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  try {
    return Object.fromEntries(Object.entries(parts).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch (error) {
    throw invalid('the path is not valid percent encoding', { cause: error });
  }
}
