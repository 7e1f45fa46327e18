import { linkPath, portMessage } from '../../desktop/contract/addresses.ts';
import { DesktopError } from '../../desktop/contract/errors.ts';
import type { Link } from '../../desktop/wire/link.ts';
import { webPortLink } from '../../desktop/wire/message-port-link.ts';
import { webSocketLink } from '../../desktop/wire/web-socket-link.ts';

/**
 * How this page reaches its core: in a browser through a WebSocket to the page's own origin, in the app through the
 * MessagePort that the preload hands over. Nothing else in the page knows which.
 */
export interface PageLinks {
  open(signal: AbortSignal): Promise<Link>;
  /** Whether the core is there and turns this page away: its one-time token is used up, its cookie unknown. */
  isRefused(signal: AbortSignal): Promise<boolean>;
}

export function pageLinks(page: Window): PageLinks {
  return page.location.protocol === 'http:' || page.location.protocol === 'https:'
    ? socketLinks(page)
    : portLinks(page);
}

function socketLinks(page: Window): PageLinks {
  const address = new URL(linkPath, page.location.href);
  address.protocol = page.location.protocol === 'https:' ? 'wss:' : 'ws:';
  return {
    open: async () => webSocketLink(new WebSocket(address)),
    isRefused: async (signal) => {
      try {
        const answer = await fetch(page.location.pathname, { method: 'HEAD', cache: 'no-store', signal });
        return answer.status === 401 || answer.status === 403;
      } catch {
        return false;
      }
    },
  };
}

function portLinks(page: Window): PageLinks {
  let next: MessagePort | null = null;
  let waiting: ((port: MessagePort) => void) | null = null;
  page.addEventListener('message', (event: MessageEvent<unknown>) => {
    const [port] = event.ports;
    if (event.source !== page || event.data !== portMessage || port === undefined) return;
    if (waiting) waiting(port);
    else next = port;
    waiting = null;
  });
  return {
    open: async (signal) => {
      const early = next;
      next = null;
      if (early) return webPortLink(early);
      const { promise, resolve, reject } = Promise.withResolvers<MessagePort>();
      waiting = resolve;
      signal.addEventListener('abort', () => reject(new DesktopError('cancelled', 'The page was closed.')), {
        once: true,
      });
      return webPortLink(await promise);
    },
    isRefused: async () => false,
  };
}
