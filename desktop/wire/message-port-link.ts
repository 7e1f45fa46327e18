/**
 * Links over the two kinds of MessagePort: the web's (in a page, and in Node) and Electron's MessagePortMain. Both carry
 * byte arrays as they are. Written against the few members used, so that this room needs neither DOM nor Electron types.
 */
import { mapBytes, ownBytes } from './bytes.ts';
import { LinkEvents, type Link } from './link.ts';

export interface WebPort {
  postMessage(message: unknown): void;
  /** DOM and Node disagree about the type of events; both put what was sent into `data`. */
  addEventListener(type: 'message' | 'messageerror' | 'close', listener: (event: object) => void): void;
  start(): void;
  close(): void;
}

export interface MainPort {
  postMessage(message: unknown): void;
  on(type: 'message', listener: (event: { readonly data: unknown }) => void): unknown;
  on(type: 'close', listener: () => void): unknown;
  start(): void;
  close(): void;
}

export function webPortLink(port: WebPort): Link {
  const link = portLink(port, ({ message, close }) => {
    port.addEventListener('message', (event) => message('data' in event ? event.data : undefined));
    port.addEventListener('close', () => close('the other end is gone'));
    port.addEventListener('messageerror', () => close('a frame could not be read'));
  });
  port.start();
  return link;
}

export function mainPortLink(port: MainPort): Link {
  const link = portLink(port, ({ message, close }) => {
    port.on('message', ({ data }) => message(data));
    port.on('close', () => close('the other end is gone'));
  });
  port.start();
  return link;
}

/** Sent last, so that the other end learns of a close at once and with its reason: not every port tells, and none tells why. */
interface Farewell {
  readonly farewell: string;
}

function isFarewell(data: unknown): data is Farewell {
  return typeof data === 'object' && data !== null && 'farewell' in data && typeof data.farewell === 'string';
}

function portLink(
  port: { postMessage(message: unknown): void; close(): void },
  listen: (on: { message: (data: unknown) => void; close: (reason: string) => void }) => void,
): Link {
  const events = new LinkEvents();
  listen({
    message: (data) => {
      if (!isFarewell(data)) return events.frame(data);
      if (events.closed(data.farewell)) port.close();
    },
    close: (reason) => {
      if (events.closed(reason)) port.close();
    },
  });
  return {
    send(frame) {
      if (!events.isClosed) port.postMessage(mapBytes(frame, ownBytes));
    },
    onFrame: (listener) => events.onFrame(listener),
    onClose: (listener) => events.onClose(listener),
    close(reason) {
      if (!events.closed(reason)) return;
      port.postMessage({ farewell: reason } satisfies Farewell);
      port.close();
    },
  };
}
