import { filePath } from '../../desktop/contract/machines.ts';
import { text } from '../text/text.ts';

/** Why that cannot be a file on the computer that Skiff runs on, in words; null: it can. */
export function pathProblem(path: string): string | null {
  if (path === '') return text.settingProblem.missing;
  return filePath.safeParse(path).success ? null : text.settingProblem['bad-path'];
}
