/** Where page and core find each other: agreed on here, since neither side may import the other. */

/** The page's WebSocket, on its own origin, in browser mode. */
export const linkPath = '/link';
/** The window message with which Electron's preload hands over a MessagePort; a new one comes whenever the core was started again. */
export const portMessage = 'skiff:port';
