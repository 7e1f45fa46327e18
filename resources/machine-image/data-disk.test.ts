/** What the guest does with its data disk, tried on plain files: the same script, the same mke2fs and e2fsck, no machine. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';

const script = fileURLToPath(new URL('root/usr/lib/skiff/data-disk.sh', import.meta.url));
/** Ends the script that calls it, as a power cut would. */
const powerCut = '#!/bin/sh\nkill -KILL $PPID\n';
const sizeBytes = 64 * 1024 * 1024;

describeWith(
  ['linux', { program: 'busybox' }, { program: 'mke2fs' }, { program: 'dumpe2fs' }],
  'the data disk of a machine',
  () => {
    let folder: string;
    let disk: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'skiff-data-disk-'));
      disk = join(folder, 'disk');
      writeFileSync(disk, '');
      truncateSync(disk, sizeBytes);
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    /** Runs prepare_data_disk; `stages` are what it told, `failure` is why it stopped. `replace` puts a script in a tool's place. */
    function prepare({ replace = {} }: { replace?: Readonly<Record<string, string>> } = {}): {
      stages: readonly string[];
      failure: string | null;
    } {
      const tools = mkdtempSync(join(folder, 'tools-'));
      for (const name of ['mke2fs', 'tune2fs', 'e2fsck']) {
        writeFileSync(join(tools, name), replace[name] ?? `#!/bin/sh\nPATH=$PATH:/usr/sbin:/sbin exec ${name} "$@"\n`, {
          mode: 0o755,
        });
      }
      const program = `
      stage() { echo "stage $1"; }
      fail() { echo "fail $*"; exit 9; }
      . "$1"; disk=$2 logs=$3 tools=$4
      prepare_data_disk`;
      const run = spawnSync('busybox', ['sh', '-c', program, 'sh', script, disk, folder, tools], {
        encoding: 'utf8',
        timeout: 60_000,
      });
      expect(run.stderr).toBe('');
      const lines = run.stdout.trimEnd().split('\n');
      const stages = lines.filter((line) => line.startsWith('stage ')).map((line) => line.slice(6));
      return { stages, failure: run.status === 9 ? (lines.at(-1) ?? '') : null };
    }

    function header(): Readonly<Record<string, string>> {
      const shown = execFileSync('dumpe2fs', ['-h', disk], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
      return Object.fromEntries(
        [...shown.matchAll(/^([^:\n]+): +(.*)$/gm)].map((match) => [match[1] ?? '', match[2] ?? '']),
      );
    }

    function write(at: number, bytes: Buffer | string): void {
      const file = openSync(disk, 'r+');
      writeSync(file, typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes, 0, bytes.length, at);
      closeSync(file);
    }

    function digest(): string {
      return createHash('sha256').update(readFileSync(disk)).digest('hex');
    }

    it('is formatted when it is new, and only then', () => {
      expect(prepare()).toEqual({ stages: ['data-format'], failure: null });
      expect(header()).toMatchObject({ 'Filesystem volume name': 'skiff-data', 'Filesystem state': 'clean' });
      const before = digest();
      expect(prepare()).toEqual({ stages: [], failure: null });
      expect(digest()).toBe(before);
    });

    it('is formatted again when a power cut came before mke2fs', () => {
      expect(prepare({ replace: { mke2fs: powerCut } }).stages).toEqual(['data-format']);
      expect(readFileSync(disk).toString('latin1', 1024 + 120, 1024 + 132)).toBe('skiff-making');
      expect(prepare()).toEqual({ stages: ['data-format'], failure: null });
      expect(header()['Filesystem volume name']).toBe('skiff-data');
    });

    it('is formatted again when a power cut came after mke2fs, before the label', () => {
      execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'skiff-making', disk]);
      expect(prepare()).toEqual({ stages: ['data-format'], failure: null });
      expect(header()['Filesystem volume name']).toBe('skiff-data');
    });

    it('is formatted again when mke2fs was cut off anywhere on its way', () => {
      // mke2fs clears the first 1024 bytes and writes tables long before its superblock: what stands there is our mark.
      prepare({ replace: { mke2fs: powerCut } });
      write(0, Buffer.alloc(1024));
      write(4096, Buffer.alloc(4096, 0xa5));
      expect(prepare()).toEqual({ stages: ['data-format'], failure: null });
    });

    it('is left alone when it holds a file system of somebody else', () => {
      execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-L', 'photos', disk]);
      const before = digest();
      expect(prepare().failure).toContain("holds a file system that is not Skiff's");
      expect(digest()).toBe(before);
    });

    it.each([
      ['a partition table', 510, '\x55\xaa'],
      ['an XFS file system', 0, 'XFSB'],
      ['anything in its first MiB', 1024 * 1024 - 1, 'x'],
    ])('is left alone when it holds %s', (_what, at, bytes) => {
      write(at, bytes);
      const before = digest();
      expect(prepare().failure).toContain('not empty and not Skiff');
      expect(digest()).toBe(before);
    });

    it('is checked after an unclean stop, and is clean then', () => {
      prepare();
      execFileSync('debugfs', ['-w', '-R', 'set_super_value state 0', disk], { stdio: 'ignore' });
      expect(prepare()).toEqual({ stages: ['data-check'], failure: null });
      expect(header()['Filesystem state']).toBe('clean');
    });

    it('that cannot be repaired without a person stops the machine, saying so', () => {
      prepare();
      execFileSync('debugfs', ['-w', '-R', 'set_super_value state 0', disk], { stdio: 'ignore' });
      const { failure } = prepare({ replace: { e2fsck: '#!/bin/sh\necho unexpected inconsistency\nexit 4\n' } });
      expect(failure).toBe('fail data e2fsck cannot repair the data disk by itself: unexpected inconsistency');
    });
  },
);
