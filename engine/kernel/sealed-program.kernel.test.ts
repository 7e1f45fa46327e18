import { execFileSync, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { SealedPrograms } from './sealed-program.ts';

describeWith(['linux', { program: 'busybox' }], 'a sealed copy of a program', () => {
  const busybox = execFileSync('which', ['busybox'], { encoding: 'utf8' }).trim();
  const run = (path: string): string => spawnSync(path, ['hello'], { argv0: 'echo', encoding: 'utf8' }).stdout;

  it('runs, cannot be written to, and is made once', () => {
    const before = readdirSync('/proc/self/fd').length;
    using programs = new SealedPrograms();
    const path = programs.pathOf(busybox);
    expect(path).toMatch(/^\/proc\/\d+\/fd\/\d+$/);
    expect(run(path)).toBe('hello\n');
    expect(readFileSync(path).equals(readFileSync(busybox))).toBe(true);
    expect(() => {
      const fd = openSync(path, 'r+');
      try {
        writeSync(fd, 'x');
      } finally {
        closeSync(fd);
      }
    }).toThrow(/EPERM/);
    expect(programs.pathOf(busybox)).toBe(path);
    programs[Symbol.dispose]();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('is made anew when the program is another', () => {
    const folder = mkdtempSync(join(tmpdir(), 'skiff-sealed-'));
    const program = join(folder, 'program');
    copyFileSync(busybox, program);
    using programs = new SealedPrograms();
    expect(run(programs.pathOf(program))).toBe('hello\n');
    writeFileSync(`${program}.new`, '#!/bin/sh\necho other\n', { mode: 0o755 });
    execFileSync('mv', [`${program}.new`, program]);
    expect(readFileSync(programs.pathOf(program), 'utf8')).toContain('echo other');
    expect(() => programs.pathOf(join(folder, 'absent'))).toThrow(/ENOENT/);
    rmSync(folder, { recursive: true });
  });
});
