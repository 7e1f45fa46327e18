import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { type Seed, writeSeed } from './seed.ts';
import { tarMember } from './tar.ts';

const seed: Seed = {
  name: 'web',
  hostname: 'web',
  network: { mode: 'static', address: '10.0.2.15/24', gateway: '10.0.2.2', nameservers: ['10.0.2.3', '9.9.9.9'] },
  hostKey: { privateKey: 'PRIVATE\n', publicKey: 'ssh-ed25519 HOST' },
  authorizedKeys: ['ssh-ed25519 USER'],
};

describe('the seed', () => {
  it('is the same bytes for the same machine', () => {
    expect(writeSeed(seed).equals(writeSeed({ ...seed }))).toBe(true);
  });

  it('is made of whole blocks and ends with two empty ones, so that it can be written to a disk raw', () => {
    const disk = writeSeed(seed);
    expect(disk.length % 512).toBe(0);
    expect(disk.subarray(-1024).every((byte) => byte === 0)).toBe(true);
  });

  it('asks for DHCP without naming an address', () => {
    const text = writeSeed({ ...seed, network: { mode: 'dhcp' } }).toString();
    expect(text).toContain("SKIFF_NETWORK_MODE='dhcp'\nSKIFF_ADDRESS=''\nSKIFF_GATEWAY=''\nSKIFF_NAMESERVERS=''\n");
  });

  it.each([
    ['host name', { hostname: "a'; reboot; '" }],
    ['host name', { hostname: '' }],
    ['host name', { hostname: 'a'.repeat(64) }],
    ['address', { network: { mode: 'static', address: '10.0.2.15', gateway: null, nameservers: [] } }],
    ['gateway', { network: { mode: 'static', address: '10.0.2.15/24', gateway: '$(id)', nameservers: [] } }],
    ['name server', { network: { mode: 'static', address: '10.0.2.15/24', gateway: null, nameservers: ['one two'] } }],
  ] as const)('refuses a %s that the guest could not read back', (what, change) => {
    expect(() => writeSeed({ ...seed, ...change })).toThrow(`The machine's ${what}`);
  });

  it('refuses a machine that nobody could log in to', () => {
    expect(() => writeSeed({ ...seed, authorizedKeys: [] })).toThrow('at least one key');
  });

  it('refuses a name that does not fit into a tar header, rather than cutting it', () => {
    expect(() => tarMember({ name: 'n'.repeat(101), mode: 0o644, data: Buffer.alloc(0) })).toThrow('100 bytes');
  });
});

describeWith([{ program: 'tar' }, { program: 'sh' }], 'the seed as other programs read it', () => {
  it('is unpacked by tar, secrets readable by their owner alone, and sourced by a shell', () => {
    const folder = mkdtempSync(join(tmpdir(), 'skiff-seed-'));
    try {
      const listing = execFileSync('tar', ['-tvf', '-'], { input: writeSeed(seed), encoding: 'utf8' });
      expect(listing.split('\n').map((line) => [line.slice(0, 10), line.split(' ').at(-1)])).toEqual([
        ['-rw-r--r--', 'machine.json'],
        ['-rw-r--r--', 'seed.env'],
        ['-rw-------', 'ssh_host_ed25519_key'],
        ['-rw-r--r--', 'ssh_host_ed25519_key.pub'],
        ['-rw-------', 'authorized_keys'],
        ['', ''],
      ]);
      execFileSync('tar', ['-xf', '-', '-C', folder], { input: writeSeed(seed) });
      const shown = execFileSync(
        'sh',
        [
          '-c',
          '. ./seed.env; echo "$SKIFF_SEED_FORMAT $SKIFF_HOSTNAME $SKIFF_ADDRESS $SKIFF_GATEWAY $SKIFF_NAMESERVERS"; cat authorized_keys',
        ],
        { cwd: folder, encoding: 'utf8' },
      );
      expect(shown).toBe('1 web 10.0.2.15/24 10.0.2.2 10.0.2.3 9.9.9.9\nssh-ed25519 USER\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
