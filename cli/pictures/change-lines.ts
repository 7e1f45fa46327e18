import type { SkiffFileChange } from '../../api/skiff.ts';
import { printable } from '../formats/printable.ts';
import { formatSize } from '../formats/sizes.ts';
import { paint } from './picture-style.ts';
import type { PictureStyle } from './picture-style.ts';

/** How a change of a file is shown everywhere: docker's letters, in colours of their own. */
export const changeMarks = {
  added: { sign: 'A', color: 'green' },
  changed: { sign: 'C', color: 'yellow' },
  removed: { sign: 'D', color: 'red' },
} as const;

/** A line a file: what happened to it, by how much it grew, where it is, and what of it differs. */
export function changeLines(
  files: readonly SkiffFileChange[],
  { isQuiet, style }: { readonly isQuiet: boolean; readonly style: PictureStyle },
): string[] {
  return files.map((file) =>
    isQuiet ? `${changeMarks[file.change].sign} ${printable(file.path)}` : changeLine(file, style),
  );
}

function changeLine({ path, change, fromBytes, toBytes, differs }: SkiffFileChange, style: PictureStyle): string {
  const { sign, color } = changeMarks[change];
  const grown = toBytes - fromBytes;
  const size = grown === 0 ? '' : `${grown < 0 ? '-' : '+'}${formatSize(Math.abs(grown))}`;
  const what = change === 'changed' ? paint('dim', `  (${differs.join(', ')})`, style) : '';
  return `${paint(color, sign, style)} ${size.padStart(8)}  ${printable(path)}${what}`;
}
