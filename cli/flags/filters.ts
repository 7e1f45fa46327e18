import type { Filters } from '../../client/filters.ts';
import type { Flag } from './flag.ts';

/** `--filter name=value`, as often as wanted. */
export function filterFlag(help: string): Flag<Filters> {
  return {
    short: 'f',
    placeholder: 'filter',
    help,
    initial: {},
    take: (previous, text) => {
      const at = text.indexOf('=');
      if (at < 0) throw new RangeError('bad format of filter (expected name=value)');
      const key = text.slice(0, at).trim().toLowerCase();
      return { ...previous, [key]: [...(previous[key] ?? []), text.slice(at + 1).trim()] };
    },
  };
}
