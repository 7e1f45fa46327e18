/**
 * The arguments of `ps` that say which columns to show. Those that choose processes are read and mean nothing: it is always the
 * container's. No program is run with them.
 */
import { invalid } from '../model/errors.ts';
import { type Column, columns, columnSets } from './columns.ts';

/** Choose processes, or how wide a line is. */
const meaningless = new Set(['e', 'A', 'a', 'd', 'x', 'N', 'w', 'r', 'T', 'g', 'c']);

/** Empty is `-ef`. Throws `invalid` for what is unknown here, and without a column PID, by which docker finds the container's. */
export function psColumns(text: string): readonly Column[] {
  const words = text.split(/\s+/).filter((word) => word !== '');
  if (words.length === 0) return columnSets.full;
  const given: Column[] = [];
  let set: readonly Column[] | null = null;
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] ?? '';
    if (word.startsWith('--')) {
      const format = /^--format(?:=(.*))?$/.exec(word);
      if (format === null) throw refused('unknown gnu long option');
      const list = format[1] ?? words[(at += 1)];
      given.push(...listed(list));
      continue;
    }
    const isUnix = word.startsWith('-');
    const letters = isUnix ? word.slice(1) : word;
    for (let index = 0; index < letters.length; index += 1) {
      const letter = letters[index] ?? '';
      if (letter === 'o') {
        given.push(...listed(letters.slice(index + 1) || words[(at += 1)]));
        break;
      }
      if (letter === 'f' && isUnix) set = columnSets.full;
      else if (letter === 'F' && isUnix) set = columnSets.full;
      else if (letter === 'u' && !isUnix) set = columnSets.user;
      else if (!meaningless.has(letter)) throw refused(isUnix ? 'unsupported SysV option' : 'garbage option');
      else if (!isUnix) set ??= columnSets.plainBsd;
    }
  }
  const chosen = given.length > 0 ? given : (set ?? columnSets.plain);
  if (!chosen.some(({ title }) => title === 'PID')) throw invalid("Couldn't find PID field in ps output");
  return chosen;
}

/** `pid,comm=NAME`: what follows the equals sign is the title of the last one. */
function listed(list: string | undefined): readonly Column[] {
  if (list === undefined || list === '') throw refused('list of format names is missing');
  const [names = '', title] = list.split(/=(.*)/);
  const found = names.split(',').map((name) => {
    const column = Object.hasOwn(columns, name.toLowerCase()) ? columns[name.toLowerCase()] : undefined;
    if (column === undefined) throw refused(`unknown user-defined format specifier "${name}"`);
    return column;
  });
  const last = found.at(-1);
  return title === undefined || last === undefined ? found : [...found.slice(0, -1), { ...last, title }];
}

function refused(what: string): Error {
  return invalid(`ps: error: ${what}`);
}
