import { machineName } from '../../desktop/contract/machines.ts';
import { text } from '../text/text.ts';

/** Why a new machine cannot have that name, in words; null: it can. */
export function nameProblem(name: string, taken: readonly string[]): string | null {
  if (name === '') return text.settingProblem.missing;
  if (!machineName.safeParse(name).success) return text.settingProblem['bad-name'];
  // Some computers' file systems take no notice of case.
  const isTaken = taken.some((other) => other.toLowerCase() === name.toLowerCase());
  return isTaken ? text.settingProblem['name-taken'] : null;
}

/** `web-copy`, or the first of `web-copy-2`, … that is free. */
export function freeName(wanted: string, taken: readonly string[]): string {
  const isFree = (name: string): boolean => nameProblem(name, taken) === null;
  if (isFree(wanted)) return wanted;
  for (let count = 2; count <= taken.length + 2; count += 1)
    if (isFree(`${wanted}-${count}`)) return `${wanted}-${count}`;
  return '';
}
