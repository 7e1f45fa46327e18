import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Keychain } from './kept-secrets.ts';
import { KeptSecrets } from './kept-secrets.ts';
import { isSecretVariable, quietEnvironment } from './quiet-environment.ts';
import { openDrivers } from '../drivers/drivers.ts';
import { homePaths } from '../store/home.ts';

class MemoryKeychain implements Keychain {
  readonly name = 'the keyring';
  readonly entries = new Map<string, { readonly username: string; readonly secret: string }>();
  isLocked = false;

  get(server: string): ReturnType<Keychain['get']> {
    return Promise.resolve(this.entries.get(server) ?? null);
  }

  store(server: string, secret: { readonly username: string; readonly secret: string }): Promise<void> {
    if (this.isLocked) return Promise.reject(new Error('it is locked'));
    this.entries.set(server, secret);
    return Promise.resolve();
  }

  erase(server: string): Promise<void> {
    this.entries.delete(server);
    return Promise.resolve();
  }
}

const given = { sudoPassword: 'open sesame' };
const id = 'a'.repeat(32);

describe('secrets that are kept for a machine', () => {
  let folder: string;
  let paths: { readonly secrets: string };
  let keychain: MemoryKeychain;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-secrets-'));
    paths = { secrets: join(folder, 'secrets.json') };
    keychain = new MemoryKeychain();
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('are none unless they were asked to be', async () => {
    expect(await new KeptSecrets(keychain).read(paths)).toEqual({});
    await new KeptSecrets(keychain).erase(paths);
  });

  it('are in the keychain alone where there is one, and go with the machine', async () => {
    const kept = new KeptSecrets(keychain);
    expect(await kept.keep({ id, paths }, given)).toBe('the keyring');
    expect(await readFile(paths.secrets, 'utf8')).not.toContain('sesame');
    expect(await new KeptSecrets(keychain).read(paths)).toEqual(given);
    await kept.erase(paths);
    expect([...keychain.entries]).toEqual([]);
    expect(await kept.read(paths)).toEqual({});
  });

  it.each(['locked', 'absent'] as const)('are in a file of this user alone where the keychain is %s', async (how) => {
    keychain.isLocked = how === 'locked';
    const kept = new KeptSecrets(how === 'absent' ? null : keychain);
    expect(await kept.keep({ id, paths }, given)).toContain(paths.secrets);
    expect((await stat(paths.secrets)).mode & 0o777).toBe(0o600);
    expect(await kept.read(paths)).toEqual(given);
    await kept.erase(paths);
    await expect(stat(paths.secrets)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('are as if never kept when they were taken out of the keychain by hand', async () => {
    const kept = new KeptSecrets(keychain);
    await kept.keep({ id, paths }, given);
    keychain.entries.clear();
    expect(await kept.read(paths)).toEqual({});
  });

  it('are told to be in a keychain that a program does not reach', async () => {
    await new KeptSecrets(keychain).keep({ id, paths }, given);
    await expect(new KeptSecrets(null).read(paths)).rejects.toMatchObject({ code: 'login-refused' });
  });
});

describe('an environment without secrets', () => {
  it('lacks the variable of every secret setting of every driver, and nothing that programs need', () => {
    const fields = [...openDrivers(homePaths('/nowhere')).values()].flatMap(({ settings }) => settings.fields);
    const secrets = fields.filter(({ kind }) => kind === 'secret').flatMap(({ environment }) => environment);
    expect(secrets).toContain('SKIFF_SUDO_PASSWORD');
    expect(secrets.filter((name) => !isSecretVariable(name))).toEqual([]);
    const needed = { PATH: '/bin', HOME: '/root', SSH_AUTH_SOCK: '/run/agent', SKIFF_HOME: '/x', LANG: 'C' };
    expect(quietEnvironment({ ...needed, AWS_SECRET_ACCESS_KEY: 'x', GENERIC_SSH_PASSPHRASE: 'y' })).toEqual(needed);
  });
});
