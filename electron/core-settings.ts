/** What the main process tells the core's process at its start, as one argument of JSON. Nothing in it is secret: arguments are there for all to see. */
import type { OpenDesktop } from '../desktop/open-desktop.ts';
import type { WantedMachine } from './life-rules.ts';

export interface CoreSettings {
  readonly version: string;
  readonly hasTray: boolean;
  readonly machine: WantedMachine;
  readonly provisioning: NonNullable<OpenDesktop['provisioning']>;
}

export function formatCoreSettings(settings: CoreSettings): string {
  return JSON.stringify(settings);
}

/** Throws where the argument is none of ours: then this process was started by something else. */
export function parseCoreSettings(argument: string | undefined): CoreSettings {
  const value: unknown = argument === undefined ? null : JSON.parse(argument);
  const members = ['version', 'hasTray', 'machine', 'provisioning'];
  const isOurs = typeof value === 'object' && value !== null && members.every((member) => member in value);
  if (!isOurs) throw new Error('The core is started by the app, which tells it its settings.');
  return value as CoreSettings; // Of the same release, and checked to be of this form.
}
