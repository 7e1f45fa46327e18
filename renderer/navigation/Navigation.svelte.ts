import { parseRoute, routeHash, type Route } from './route.ts';

/** The current route, following the address. `close` stops listening. */
export class Navigation {
  readonly #page: Window;
  #route = $state.raw<Route>({ page: 'containers' });

  constructor(page: Window) {
    this.#page = page;
    this.#route = parseRoute(page.location.hash);
    page.addEventListener('hashchange', this.#read);
  }

  get route(): Route {
    return this.#route;
  }

  go(route: Route): void {
    this.#page.location.hash = routeHash(route);
  }

  close(): void {
    this.#page.removeEventListener('hashchange', this.#read);
  }

  #read = (): void => {
    this.#route = parseRoute(this.#page.location.hash);
  };
}
