import { readFile } from 'node:fs/promises';
import { MachineError } from '../../machines.ts';
import type { FirstContact } from '../../ssh/host-key-rule.ts';
import { firstContact } from '../../ssh/host-key-rule.ts';
import { agentLogins, isEncrypted, ownLogins } from '../../ssh/own-logins.ts';
import { parseJump, readSshConfig } from '../../ssh/ssh-config.ts';
import type { SshHostConfig } from '../../ssh/ssh-config.ts';
import type { SshConnection, SshLogin, SshTarget } from '../../ssh/ssh-connection.ts';
import { connectSsh } from '../../ssh/ssh-connection.ts';
import { isErrno } from '../../store/atomic-file.ts';
import type { SshAccess } from '../driver.ts';
import type { GenericSettings } from './generic-settings.ts';

/**
 * The login with what the user has: SSH configuration, agent, keys, a password. It happens while a machine is created, and
 * when it is removed before its own key was there; ever after the machine's own key is used.
 */
export interface FirstLogin extends AsyncDisposable {
  readonly connection: SshConnection;
  /** How the host is reached from now on, its keys pinned. */
  readonly access: SshAccess;
}

type Environment = Readonly<Record<string, string | undefined>>;

export async function logInFirst(
  settings: GenericSettings,
  options: { readonly environment: Environment; readonly signal: AbortSignal },
): Promise<FirstLogin> {
  const { environment, signal } = options;
  const config = await readSshConfig(settings.ipAddress, environment);
  const jumps = settings.jumps.length > 0 ? settings.jumps : config.jumps;
  const before = await Promise.all(jumps.map((jump) => jumpHost(jump, { settings, environment })));
  const place = {
    host: config.host,
    port: settings.sshPort ?? config.port,
    user: settings.sshUser ?? config.user ?? 'root',
  };
  const contact = await firstContact({ ...place, ...contactOf(config, settings) });
  const logins = await loginsOf(settings, { config, environment });
  if (logins.length === 0) throw nothingToLogInWith(settings.ipAddress);
  let via: SshTarget | undefined;
  for (const { target } of before) via = { ...target, ...(via === undefined ? {} : { via }) };
  const target = { ...place, logins, hostKey: contact, ...(via === undefined ? {} : { via }) };
  const connection = await connectSsh(target, { signal, deadlineMs: 15_000, failure: 'first-login' });
  return {
    connection,
    access: {
      kind: 'ssh',
      ...place,
      hostKey: contact.accepted(),
      jumps: before.map(({ target: { host, port, user }, contact: known }) => ({
        host,
        port,
        user,
        hostKey: known.accepted(),
      })),
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

async function jumpHost(
  text: string,
  of: { readonly settings: GenericSettings; readonly environment: Environment },
): Promise<{ readonly target: SshTarget; readonly contact: FirstContact }> {
  const { settings, environment } = of;
  const jump = parseJump(text);
  if (jump.host === '') throw new MachineError('invalid-setting', `"${text}" is no host to go through: user@host:port`);
  const config = await readSshConfig(jump.host, environment);
  const place = {
    host: config.host,
    port: jump.port ?? config.port,
    user: jump.user ?? config.user ?? environment['USER'] ?? 'root',
  };
  const contact = await firstContact({ ...place, ...contactOf(config, settings) });
  const logins = await ownLogins(environment);
  return { target: { ...place, logins, hostKey: contact }, contact };
}

function contactOf(
  config: SshHostConfig,
  settings: GenericSettings,
): { readonly alias: string | null; readonly knownHostsFiles: readonly string[]; readonly wanted: string | null } {
  return {
    alias: config.hostKeyAlias,
    knownHostsFiles: config.knownHostsFiles,
    wanted: settings.hostKey ?? null,
  };
}

async function loginsOf(
  settings: GenericSettings,
  of: { readonly config: SshHostConfig; readonly environment: Environment },
): Promise<readonly SshLogin[]> {
  const { sshKey, sshPassphrase, sshPassword } = settings;
  const logins: SshLogin[] = [];
  if (sshKey === undefined) {
    logins.push(...agentLogins(of.environment));
    for (const file of of.config.identityFiles) {
      const key = await readFile(file, 'utf8').catch(() => null);
      if (key !== null && (!isEncrypted(key) || sshPassphrase !== undefined)) logins.push(keyLogin(key, sshPassphrase));
    }
  } else {
    const key = await readGivenKey(sshKey);
    if (isEncrypted(key) && sshPassphrase === undefined)
      throw new MachineError(
        'login-refused',
        `The key ${sshKey} has a passphrase: give it as GENERIC_SSH_PASSPHRASE, or add the key to your SSH agent`,
      );
    logins.push(keyLogin(key, sshPassphrase));
  }
  if (sshPassword !== undefined) logins.push({ kind: 'password', password: sshPassword });
  return logins;
}

function keyLogin(privateKey: string, passphrase: string | undefined): SshLogin {
  const isLocked = passphrase !== undefined && isEncrypted(privateKey);
  return { kind: 'key', privateKey, ...(isLocked ? { passphrase } : {}) };
}

async function readGivenKey(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const why = isErrno(cause, 'ENOENT') ? 'there is no such file' : String(cause);
    throw new MachineError('invalid-setting', `The private key ${path} (--generic-ssh-key) cannot be read: ${why}`, {
      cause,
    });
  }
}

function nothingToLogInWith(host: string): MachineError {
  return new MachineError(
    'login-refused',
    `There is nothing to log into ${host} with: no SSH agent, no key without a passphrase in ~/.ssh. Give one with --generic-ssh-key`,
  );
}
