/**
 * A disk for each contender: ext4 with a journal, as people have it, in a sparse file. Both would otherwise pay for what the other has
 * yet to write; and on an ext4 without a journal (virtual machines of clouds have it) making a file soon after others were
 * deleted takes ten times as long, which would be most of what is measured.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const size = '16G';

export interface OwnDisk extends Disposable {
  /** Runs what makes its folders below the temporary one: they lie on this disk then. */
  with<T>(start: () => Promise<T>): Promise<T>;
}

/** What nobody has waited for yet is written now: both answer a pull before that, and the next in turn would pay for it. */
export function settleDisks(): void {
  execFileSync('sync');
}

export function openOwnDisk(): OwnDisk {
  using opening = new DisposableStack();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-disk-'));
  opening.defer(() => rmSync(folder, { recursive: true }));
  const [file, disk] = [path.join(folder, 'image'), path.join(folder, 'disk')];
  execFileSync('truncate', ['-s', size, file]);
  execFileSync('mkfs.ext4', ['-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0,nodiscard', file]);
  mkdirSync(disk);
  execFileSync('mount', ['-o', 'loop', file, disk]);
  // Lazily: what an engine left of itself may take a moment more.
  opening.defer(() => void execFileSync('umount', ['-l', disk]));
  const opened = opening.move();
  return {
    async with(start) {
      const before = process.env['TMPDIR'];
      process.env['TMPDIR'] = disk;
      try {
        return await start();
      } finally {
        if (before === undefined) delete process.env['TMPDIR'];
        else process.env['TMPDIR'] = before;
      }
    },
    [Symbol.dispose]: () => opened.dispose(),
  };
}
