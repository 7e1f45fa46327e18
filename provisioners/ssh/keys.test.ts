import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { generateSshKeyPair, keyFingerprint, knownHostsLine, publicKeyBlob } from './keys.ts';

describe('the public half of a key', () => {
  it('is one line with type, key and comment', () => {
    expect(generateSshKeyPair('skiff default').publicKey).toMatch(
      /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA[A-Za-z0-9+/]{44} skiff default$/,
    );
  });

  it('goes over the wire as type and point', () => {
    const blob = publicKeyBlob(generateSshKeyPair('x').publicKey);
    expect(blob.length).toBe(4 + 'ssh-ed25519'.length + 4 + 32);
    expect(keyFingerprint(blob)).toMatch(/^SHA256:[A-Za-z0-9+/]{43}$/);
  });

  it('is refused when it is not a key', () => {
    expect(() => publicKeyBlob('not a key')).toThrow(/not a public key line/);
  });

  it.each([
    [22, 'web,skiff-web ssh-ed25519 KEY\n'],
    [2222, '[web]:2222,skiff-web ssh-ed25519 KEY\n'],
  ])('stands in known_hosts as OpenSSH wants it for port %i', (port, line) => {
    expect(knownHostsLine({ host: 'web', port, alias: 'skiff-web', publicKey: 'ssh-ed25519 KEY comment' })).toBe(line);
  });
});

describeWith([{ program: 'ssh-keygen' }], "OpenSSH's own reading of a key", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-keys-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('finds the public half in the private one, for any of many keys', () => {
    for (let index = 0; index < 20; index++) {
      const { privateKey, publicKey } = generateSshKeyPair(`key ${index}`);
      const path = join(folder, `key${index}`);
      writeFileSync(path, privateKey, { mode: 0o600 });
      const found = execFileSync('ssh-keygen', ['-y', '-f', path], { encoding: 'utf8' }).trim();
      expect(found).toBe(publicKey);
    }
  });
});
