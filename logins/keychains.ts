import { LoginError } from './login-error.ts';
import { credentialHelper, findProgram, runWithSecret } from './credential-helper.ts';
import type { SecretStore } from './credential-helper.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The keychain behind one of docker's helpers, by the system's own tool, for where the helper is not installed: entries are laid out as
 * the helper lays them out, so that it finds them when it comes. Null where there is no such tool. Windows has none that gives
 * a secret back without native code: there the helper (wincred) is needed.
 */
export function systemKeychain(
  helper: string,
  environment: Environment,
  platform: NodeJS.Platform,
): SecretStore | null {
  if (helper === 'secretservice' && platform === 'linux') {
    // Without a session bus there is no service that would answer.
    const isReachable = Boolean(environment['DBUS_SESSION_BUS_ADDRESS']);
    return isReachable && findProgram('secret-tool', environment, platform) !== null
      ? secretService(environment)
      : null;
  }
  if (helper === 'osxkeychain' && platform === 'darwin') return macKeychain(environment);
  return null;
}

/** The helper that a system is known for. */
export function usualHelper(environment: Environment, platform: NodeJS.Platform): string {
  if (platform === 'darwin') return 'osxkeychain';
  if (platform === 'win32') return 'wincred';
  return findProgram('pass', environment, platform) === null ? 'secretservice' : 'pass';
}

/** The keychain of this computer for other secrets than logins: docker's helper where it is installed, else the system's own tool; null: none. */
export function computerKeychain(environment: Environment, platform: NodeJS.Platform): SecretStore | null {
  const helper = usualHelper(environment, platform);
  const isThere = findProgram(`docker-credential-${helper}`, environment, platform) !== null;
  return isThere ? credentialHelper(helper, environment) : systemKeychain(helper, environment, platform);
}

/** libsecret's command line, on the Secret Service of the desktop. */
function secretService(environment: Environment): SecretStore {
  const name = 'secret-tool';
  const schema = ['xdg:schema', 'io.docker.Credentials', 'docker_cli', '1', 'label', 'Docker Credentials'];
  const run = (args: readonly string[], input = ''): ReturnType<typeof runWithSecret> =>
    runWithSecret({ file: name, args, input, environment });
  return {
    name: 'the keyring of the desktop',
    async get(server) {
      const { exitCode, stdout } = await run(['lookup', ...schema, 'server', server]);
      if (exitCode !== 0) return null; // It does not tell "not there" from other failures.
      // Attributes come on one stream or the other, by version.
      const found = await run(['search', ...schema, 'server', server]);
      const [, username = ''] = /^attribute\.username = (.*)$/m.exec(found.stdout + found.stderr) ?? [];
      return { username, secret: stdout };
    },
    async store(server, { username, secret }) {
      // Another user's entry for the same server would stay beside it, and might be the one that is found.
      await run(['clear', ...schema, 'server', server]);
      const { exitCode, stderr } = await run(
        ['store', '--label', server, ...schema, 'server', server, 'username', username],
        secret,
      );
      if (exitCode !== 0) throw new LoginError(`${name} failed: ${stderr.trim() || `exit code ${exitCode}`}`);
    },
    async erase(server) {
      await run(['clear', ...schema, 'server', server]);
    },
  };
}

/** The keychain of macOS by `security`, which reads whole commands from stdin: nothing secret stands in its arguments. */
function macKeychain(environment: Environment): SecretStore {
  const name = 'security';
  const run = (input: string): ReturnType<typeof runWithSecret> =>
    runWithSecret({ file: name, args: ['-i'], input: `${input}\n`, environment });
  const entry = (server: string): string => `-l "Docker Credentials" -s ${quoted(hostAndPath(server))}`;
  return {
    name: 'the keychain of macOS',
    async get(server) {
      const { stdout, stderr } = await run(`find-internet-password ${entry(server)} -g`);
      const said = `${stdout}\n${stderr}`;
      const [, username] = /"acct"<blob>="(.*)"$/m.exec(said) ?? [];
      const [, hex, plain] = /^password: (?:0x([0-9A-F]+)\s.*|"(.*)")$/m.exec(said) ?? [];
      if (username === undefined || (hex === undefined && plain === undefined)) return null;
      return { username, secret: hex === undefined ? (plain ?? '') : Buffer.from(hex, 'hex').toString('utf8') };
    },
    async store(server, { username, secret }) {
      const hex = Buffer.from(secret, 'utf8').toString('hex');
      const { exitCode, stderr } = await run(
        `add-internet-password -U -r htps ${entry(server)} -a ${quoted(username)} -X ${hex}`,
      );
      // In its interactive form it tells of failures by words alone.
      const said = stderr.trim();
      if (exitCode !== 0 || said !== '') throw new LoginError(`${name} failed: ${said || `exit code ${exitCode}`}`);
    },
    async erase(server) {
      await run(`delete-internet-password ${entry(server)}`);
    },
  };
}

function hostAndPath(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

/** For the words of `security -i`. */
function quoted(text: string): string {
  if (/[\n\r\0]/.test(text)) throw new LoginError('a line break cannot stand in the name of a user or a server');
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}
