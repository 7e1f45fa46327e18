import type { MessagePortMain, WebFrameMain } from 'electron';
import { isPageUrl } from './page-address.ts';

/** On which the main process sends a page its port. */
export const portChannel = 'skiff:port';

type Frame = Pick<WebFrameMain, 'url' | 'parent' | 'postMessage'>;

/** Hands `port` to our own page in the frame that fills the window, and to nothing else; false when something else is there. */
export function handPort(frame: Frame, port: MessagePortMain): boolean {
  if (frame.parent !== null || !isPageUrl(frame.url)) {
    port.close();
    return false;
  }
  frame.postMessage(portChannel, null, [port]);
  return true;
}
