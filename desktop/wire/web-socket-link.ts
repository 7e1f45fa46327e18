/** A link over a WebSocket: the browser's, or that of the package ws on the serving side; both speak the browser's interface. */
import { decodeFrame, encodeFrame } from './frame-codec.ts';
import { LinkEvents, type Link } from './link.ts';

export interface Socket {
  binaryType: string;
  readonly readyState: number;
  /** What was sent and the network has not taken. */
  readonly bufferedAmount: number;
  send(data: string | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { readonly reason: string }) => void): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
}

const connecting = 0;
/** Private use, by RFC 6455 7.4.2: closed on purpose, the reason says why. */
const closedOnPurpose = 4000;
/** A close frame carries at most 123 bytes of reason (RFC 6455 5.5.1). */
const maxReasonBytes = 123;
/** A peer that reads nothing gets no more: streams stop by their credits long before, so it must be piling up calls. */
const maxBufferedBytes = 64 * 1024 * 1024;

export function webSocketLink(socket: Socket): Link {
  const events = new LinkEvents();
  let early: (string | Uint8Array<ArrayBuffer>)[] | null = socket.readyState === connecting ? [] : null;
  const close = (reason: string): void => {
    if (!events.closed(reason)) return;
    socket.close(closedOnPurpose, shortened(reason));
  };
  const send = (frame: object): void => {
    if (events.isClosed) return;
    if (early) early.push(encodeFrame(frame));
    else if (socket.bufferedAmount > maxBufferedBytes) close('the other end does not read');
    else socket.send(encodeFrame(frame));
  };
  socket.binaryType = 'arraybuffer';
  socket.addEventListener('open', () => {
    for (const message of early ?? []) socket.send(message);
    early = null;
  });
  socket.addEventListener('message', ({ data }) => {
    let frame: unknown;
    try {
      frame = decodeFrame(data instanceof ArrayBuffer ? new Uint8Array(data) : String(data));
    } catch (error) {
      return close(error instanceof Error ? error.message : String(error));
    }
    events.frame(frame);
  });
  socket.addEventListener('close', ({ reason }) => events.closed(reason || 'the connection was lost'));
  // A close follows each error and says the same; without a listener ws would throw.
  socket.addEventListener('error', () => {});
  return {
    send,
    onFrame: (listener) => events.onFrame(listener),
    onClose: (listener) => events.onClose(listener),
    close,
  };
}

function shortened(reason: string): string {
  let text = reason;
  while (new TextEncoder().encode(text).byteLength > maxReasonBytes) text = text.slice(0, -1);
  return text;
}
