import type { TreeFile } from '../../desktop/contract/images.ts';

const letters: Record<TreeFile['kind'], string> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  'character-device': 'c',
  'block-device': 'b',
  fifo: 'p',
};

/** As `ls -l` writes it: `drwxr-xr-x`, `-rwsr-xr-x`. */
export function modeText({ kind, mode }: Pick<TreeFile, 'kind' | 'mode'>): string {
  const triple = (shift: number, special: boolean, mark: string): string => {
    const bits = mode >> shift;
    const canRun = (bits & 1) !== 0;
    const last = special ? (canRun ? mark : mark.toUpperCase()) : canRun ? 'x' : '-';
    return `${(bits & 4) !== 0 ? 'r' : '-'}${(bits & 2) !== 0 ? 'w' : '-'}${last}`;
  };
  return (
    letters[kind] +
    triple(6, (mode & 0o4000) !== 0, 's') +
    triple(3, (mode & 0o2000) !== 0, 's') +
    triple(0, (mode & 0o1000) !== 0, 't')
  );
}
