import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeWith } from '../test/skip.ts';
import { Credentials, hubServer, serverOf } from './credentials.ts';
import type { Login } from './credentials.ts';

const jane: Login = { kind: 'password', username: 'jane', password: 'päss:wörd"\\' };
const token: Login = { kind: 'identity-token', username: 'jane', token: 'tok' };

let folder: string;
let config: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skiff-credentials-'));
  config = join(folder, 'config.json');
});

afterEach(() => rmSync(folder, { recursive: true }));

/** With nothing in the path but what the test puts there: docker too, so that no keychain is taken for want of it. */
const open = (): Credentials =>
  new Credentials({ DOCKER_CONFIG: folder, PATH: `${folder}${delimiter}/usr/bin:/bin` }, 'linux');
const written = (): unknown => JSON.parse(readFileSync(config, 'utf8'));
const program = (name: string, text: string): void => {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), 0o755);
};

describe('logins in the file', () => {
  beforeEach(() => program('docker', '#!/bin/sh\n'));

  it('are kept as docker keeps them, for their owner alone, and everything else in the file stays', async () => {
    writeFileSync(config, '{"psFormat":"x","auths":{"old.example":{"auth":"YTpi"}}}', { mode: 0o644 });
    expect(await open().keep('reg.example:5000', jane)).toEqual({ where: 'file', path: config });
    expect(written()).toEqual({
      psFormat: 'x',
      auths: {
        'old.example': { auth: 'YTpi' },
        'reg.example:5000': { auth: Buffer.from('jane:päss:wörd"\\').toString('base64') },
      },
    });
    expect(statSync(config).mode & 0o777).toBe(0o600);
    expect(await open().get('reg.example:5000')).toEqual({
      username: 'jane',
      password: 'päss:wörd"\\',
      serveraddress: 'reg.example:5000',
    });
  });

  it('may be identity tokens', async () => {
    await open().keep(hubServer, token);
    expect(await open().get(hubServer)).toEqual({ username: 'jane', identitytoken: 'tok', serveraddress: hubServer });
  });

  it('are found where an old docker has put them', async () => {
    writeFileSync(config, '{"auths":{"https://reg.example/v1/":{"auth":"YTpi"}}}');
    expect(await open().get('reg.example')).toMatchObject({ username: 'a', password: 'b' });
    expect(await open().get('other.example')).toBeNull();
  });

  it('are taken away', async () => {
    await open().keep('reg.example', jane);
    await open().erase('reg.example');
    expect(written()).toEqual({ auths: {} });
    await open().erase('reg.example');
  });

  it('go through a link of the file', async () => {
    const real = join(folder, 'real.json');
    writeFileSync(real, '{}');
    symlinkSync(real, config);
    await open().keep('reg.example', jane);
    expect(JSON.parse(readFileSync(real, 'utf8'))).toHaveProperty('auths');
  });

  it.each(['{"auths": {"a": {"auth": "c2VjcmV0"', '[]', '{"auths": 3}', '{"credsStore": {}}'])(
    'of a broken file are missed with its name, and without what is in it: %s',
    async (text) => {
      writeFileSync(config, text);
      const failure = open().get('a');
      await expect(failure).rejects.toThrow(`${config} cannot be read`);
      await expect(failure).rejects.not.toThrow('c2VjcmV0');
      expect(readFileSync(config, 'utf8')).toBe(text);
    },
  );
});

/** A helper as a product: it keeps each secret in a file named by its server. */
const helperScript = `#!/bin/sh
echo "$*" >> "$0.calls"
input=$(cat)
case $1 in
  store) server=$(printf %s "$input" | sed 's/.*"ServerURL":"\\([^"]*\\)".*/\\1/'); printf %s "$input" > "$0.$(printf %s "$server" | tr -c a-z0-9 _)" ;;
  get) file="$0.$(printf %s "$input" | tr -c a-z0-9 _)"; test -e "$file" || { echo "credentials not found in native keychain"; exit 1; }; cat "$file" ;;
  erase) rm -f "$0.$(printf %s "$input" | tr -c a-z0-9 _)" ;;
  *) echo "unknown credential action"; exit 1 ;;
esac
`;

describeWith(['linux'], 'logins with a credential helper', () => {
  beforeEach(() => program('docker-credential-fake', helperScript));

  it('are asked of the helper that is named, and the secret is in neither file nor arguments', async () => {
    writeFileSync(config, '{"credsStore":"fake"}');
    expect(await open().get('reg.example')).toBeNull();
    const kept = await open().keep('reg.example', { kind: 'password', username: 'jane', password: 'swordfish' });
    expect(kept).toEqual({ where: 'store', name: 'docker-credential-fake' });
    expect(written()).toEqual({ credsStore: 'fake', auths: { 'reg.example': {} } });
    expect(readFileSync(join(folder, 'docker-credential-fake.calls'), 'utf8')).toBe('get\nstore\n');
    expect(await open().get('reg.example')).toEqual({
      username: 'jane',
      password: 'swordfish',
      serveraddress: 'reg.example',
    });
    await open().erase('reg.example');
    expect(await open().get('reg.example')).toBeNull();
    expect(written()).toEqual({ credsStore: 'fake', auths: {} });
  });

  it('may be tokens', async () => {
    writeFileSync(config, '{"credHelpers":{"reg.example":"fake"}}');
    await open().keep('reg.example', token);
    expect(await open().get('reg.example')).toEqual({ identitytoken: 'tok', serveraddress: 'reg.example' });
  });

  it('have a helper for one server and another for the rest', async () => {
    program('docker-credential-other', helperScript);
    writeFileSync(config, '{"credsStore":"other","credHelpers":{"reg.example":"fake"}}');
    await open().keep('reg.example', jane);
    await open().keep('else.example', jane);
    expect(existsSync(join(folder, 'docker-credential-fake.reg_example'))).toBe(true);
    expect(existsSync(join(folder, 'docker-credential-other.else_example'))).toBe(true);
  });

  it('go to the helper of this system when it is installed and nothing is kept yet, which is written down', async () => {
    program('docker-credential-secretservice', helperScript);
    await open().keep('reg.example', jane);
    expect(written()).toEqual({ credsStore: 'secretservice', auths: { 'reg.example': {} } });
  });

  it('of a helper that is gone are told of by its name', async () => {
    writeFileSync(config, '{"credsStore":"desktop"}');
    await expect(open().get('reg.example')).rejects.toThrow(
      'docker-credential-desktop cannot be run: it is not installed',
    );
  });

  it('of a helper that fails are told in its words, of one that talks nonsense without them', async () => {
    writeFileSync(config, '{"credsStore":"fake"}');
    program('docker-credential-fake', '#!/bin/sh\necho the keychain is locked; exit 1\n');
    await expect(open().get('a')).rejects.toThrow('docker-credential-fake failed: the keychain is locked');
    program('docker-credential-fake', '#!/bin/sh\necho swordfish\n');
    await expect(open().get('a')).rejects.toThrow(/not of the protocol/);
    await expect(open().get('a')).rejects.not.toThrow('swordfish');
  });
});

it.each([
  ['docker.io', hubServer],
  ['index.docker.io', hubServer],
  ['ghcr.io', 'ghcr.io'],
  ['localhost:5000', 'localhost:5000'],
])('the login for %s is that of %s', (domain, server) => expect(serverOf(domain)).toBe(server));
