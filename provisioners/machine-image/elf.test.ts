import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { isElf, readElfNeeds, readModuleInfo } from './elf.ts';

describe('reading ELF', () => {
  it('refuses what is not 64-bit little-endian ELF', () => {
    expect(isElf(Buffer.from('#!/bin/sh\n'.repeat(20)))).toBe(false);
    expect(() => readElfNeeds(Buffer.alloc(200))).toThrow('not a 64-bit');
    const bigEndian = Buffer.concat([Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 2]), Buffer.alloc(200)]);
    expect(() => readElfNeeds(bigEndian)).toThrow('not a 64-bit');
  });

  it('refuses a file that is cut off', () => {
    const header = Buffer.alloc(128);
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1]).copy(header);
    header.writeBigUInt64LE(4096n, 32);
    header.writeUInt16LE(56, 54);
    header.writeUInt16LE(1, 56);
    expect(() => readElfNeeds(header)).toThrow(RangeError);
    expect(() => readModuleInfo(header)).toThrow();
  });
});

describeWith(['linux', { program: 'readelf' }], "reading this computer's programs", () => {
  it.each([process.execPath, '/bin/sh'])('finds what readelf finds in %s', (path) => {
    const dynamic = execFileSync('readelf', ['-dW', path], { encoding: 'utf8' });
    const headers = execFileSync('readelf', ['-lW', path], { encoding: 'utf8' });
    expect(readElfNeeds(readFileSync(path))).toEqual({
      interpreter: /program interpreter: (.*)\]/.exec(headers)?.[1] ?? null,
      libraries: [...dynamic.matchAll(/\(NEEDED\).*\[(.*)\]/g)].map((match) => match[1]),
    });
  });
});
