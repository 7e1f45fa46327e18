/**
 * Runs in the page's process before the page, sandboxed. It passes on one thing, the port to the core, and exposes nothing:
 * the page gets no function of Electron's and no way to send messages to the main process.
 */
import { ipcRenderer } from 'electron';
import { portMessage } from '../desktop/contract/addresses.ts';
import { pageOrigin } from './page-address.ts';
import { portChannel } from './port-channel.ts';

/** The few members of the page's window that are used: the rest of this room is compiled without the DOM. */
declare const window: {
  readonly location: { readonly origin: string };
  postMessage(message: string, origin: string, transfer: readonly object[]): void;
};

ipcRenderer.on(portChannel, ({ ports }) => {
  // Posted to this very page and to no other that might stand in its place.
  if (window.location.origin === pageOrigin) window.postMessage(portMessage, pageOrigin, ports);
});
