/**
 * Where the user is, kept in the address's hash: it survives a reload, works on a custom scheme as on http, and never
 * reaches a server.
 */
export type Route =
  | { readonly page: 'containers' }
  | { readonly page: 'container'; readonly machine: string; readonly id: string }
  | { readonly page: 'images' }
  | { readonly page: 'image'; readonly machine: string; readonly id: string }
  | { readonly page: 'machines' }
  | { readonly page: 'new-machine' }
  | { readonly page: 'machine'; readonly name: string; readonly part?: 'logs' };

/** Unknown addresses lead to the containers, the page that most people want. */
export function parseRoute(hash: string): Route {
  const parts = hash
    .replace(/^#?\/?/, '')
    .split('/')
    .map(decode);
  const [room, first, second] = parts;
  if (room === 'containers' && first && second && parts.length === 3)
    return { page: 'container', machine: first, id: second };
  if (room === 'images' && first && second && parts.length === 3) return { page: 'image', machine: first, id: second };
  if (room === 'images') return { page: 'images' };
  if (room === 'machines' && first && parts.length === 2) return { page: 'machine', name: first };
  if (room === 'machines' && first && second === 'logs' && parts.length === 3)
    return { page: 'machine', name: first, part: 'logs' };
  if (room === 'machines') return { page: 'machines' };
  // Not below `machines`: a machine may have any name.
  if (room === 'new-machine') return { page: 'new-machine' };
  return { page: 'containers' };
}

export function routeHash(route: Route): string {
  switch (route.page) {
    case 'containers':
      return '#/containers';
    case 'container':
      return `#/containers/${encodeURIComponent(route.machine)}/${encodeURIComponent(route.id)}`;
    case 'images':
      return '#/images';
    case 'image':
      return `#/images/${encodeURIComponent(route.machine)}/${encodeURIComponent(route.id)}`;
    case 'machines':
      return '#/machines';
    case 'new-machine':
      return '#/new-machine';
    case 'machine':
      return `#/machines/${encodeURIComponent(route.name)}${route.part === 'logs' ? '/logs' : ''}`;
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A stray percent sign, typed by hand: the text as it stands then matches nothing.
    return part;
  }
}
