import type { PlayedHost } from './host.ts';

/** Objects as PowerShell gives them to the next cmdlet; scripts read their properties. */
export type PlayedObject = Readonly<Record<string, unknown>>;

export type Cmdlet = (
  host: PlayedHost,
  values: Readonly<Record<string, unknown>>,
) => readonly PlayedObject[] | Promise<readonly PlayedObject[]>;
