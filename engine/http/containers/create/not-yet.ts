import { notImplemented } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

/** What docker's clients can ask for and this engine does not do yet, with the flag by which people know it. Refused, never ignored. */
const hostFields: Readonly<Record<string, string>> = {};

const configFields: Readonly<Record<string, string>> = {};

export function refuseWhatIsNotThere(config: Fields, host: Fields): void {
  for (const [fields, table] of [
    [config, configFields],
    [host, hostFields],
  ] as const) {
    for (const [field, flag] of Object.entries(table)) if (fields.isGiven(field)) throw notYet(flag);
  }
}

function notYet(what: string): Error {
  return notImplemented(`${what} is not there yet in this version of the Skiff engine`);
}
