import { constants } from 'node:fs';
import { type TarEntry, type TarEntryKind, TarError } from '../../../api/tar/entry.ts';
import { makeNodeAt, symlinkAt } from '../../kernel/files.ts';

/** What has no content: links by name, pipes, devices. */
type SpecialKind = Exclude<TarEntryKind, 'file' | 'directory' | 'hardlink'>;

/** Makes one, for nobody else to use until its owner and mode are set. There must be nothing of that name. */
export function makeSpecialFile(
  at: { readonly directory: number; readonly name: string },
  kind: SpecialKind,
  entry: TarEntry,
): void {
  const { directory, name } = at;
  switch (kind) {
    case 'symlink':
      if (entry.linkName.length === 0) throw new TarError('a link to nothing');
      return symlinkAt(entry.linkName.toString('latin1'), directory, name);
    case 'fifo':
      return makeNodeAt(directory, name, { mode: constants.S_IFIFO | 0o600, major: 0, minor: 0 });
    case 'character-device':
      return makeNodeAt(directory, name, { mode: constants.S_IFCHR | 0o600, ...entry.device });
    case 'block-device':
      return makeNodeAt(directory, name, { mode: constants.S_IFBLK | 0o600, ...entry.device });
  }
}
