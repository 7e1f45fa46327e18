/**
 * Everything that the page can ask of the desktop's core, as data. The page, the core, Electron and the browser mode all
 * derive their types and their checks from this one value; nothing else crosses between page and core.
 */
import { app } from './app.ts';
import { containers } from './containers.ts';
import { engine } from './engine.ts';
import { images } from './images.ts';
import { logs } from './logs.ts';
import { machines } from './machines.ts';
import { ports } from './ports.ts';
import type { Client, Implementation } from './shape.ts';

export const contract = { app, machines, engine, containers, images, logs, ports };

type DesktopContract = typeof contract;
/** What the page holds. */
export type DesktopClient = Client<DesktopContract>;
/** What desktop/services is. */
export type DesktopServices = Implementation<DesktopContract>;
