import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { type CpioEntry, writeCpio } from './cpio.ts';

const entries: readonly CpioEntry[] = [
  { kind: 'directory', path: 'dev', mode: 0o755 },
  { kind: 'device', path: 'dev/console', mode: 0o600, major: 5, minor: 1 },
  { kind: 'file', path: 'init', mode: 0o755, data: Buffer.from('hello') },
  { kind: 'link', path: 'sh', target: 'init' },
];

describe('a cpio archive', () => {
  it('is the same bytes for the same entries, each part on a multiple of four', () => {
    const archive = writeCpio(entries);
    expect(archive.length % 4).toBe(0);
    expect(archive.equals(writeCpio(entries))).toBe(true);
  });

  it('begins each entry with the header that the kernel expects', () => {
    const first = writeCpio(entries).subarray(0, 116).toString('latin1');
    // magic, inode 1, mode 040755, uid, gid, two links, mtime, size, device, device of the node, name of 4 bytes, checksum
    expect(first).toBe(
      `070701${['1', '41ed', '0', '0', '2', '0', '0', '0', '0', '0', '0', '4', '0'].map((field) => field.padStart(8, '0')).join('')}dev\0\0\0`.slice(
        0,
        116,
      ),
    );
  });
});

describeWith([{ program: 'cpio' }], 'a cpio archive as cpio reads it', () => {
  it('has the kinds, modes and owners that it was given', () => {
    const listing = execFileSync('cpio', ['-itvn', '--quiet'], { input: writeCpio(entries), encoding: 'utf8' });
    const rows = listing.trimEnd().split('\n');
    expect(rows.map((row) => [row.slice(0, 10), row.split(/\s+/).slice(2, 4).join(':')])).toEqual([
      ['drwxr-xr-x', '0:0'],
      ['crw-------', '0:0'],
      ['-rwxr-xr-x', '0:0'],
      ['lrwxrwxrwx', '0:0'],
    ]);
    expect(rows[1]).toMatch(/5, +1 /);
    expect(rows[3]).toMatch(/sh -> init$/);
  });
});
