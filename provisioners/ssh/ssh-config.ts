import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { promisify } from 'node:util';

/** What the user's own OpenSSH configuration says about a host: aliases, users, ports, keys, hosts on the way. */
export interface SshHostConfig {
  readonly host: string;
  readonly port: number;
  /** Null: it says nothing; OpenSSH would take the name of this computer's user. */
  readonly user: string | null;
  readonly identityFiles: readonly string[];
  readonly knownHostsFiles: readonly string[];
  /** The name by which known_hosts knows it; null: its host. */
  readonly hostKeyAlias: string | null;
  /** `user@host:port`, first to last. */
  readonly jumps: readonly string[];
}

const runProgram = promisify(execFile);

/** Asks OpenSSH itself, which alone knows all of its language (`ssh -G`); without it, defaults. */
export async function readSshConfig(
  name: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<SshHostConfig> {
  const home = environment['HOME'] ?? homedir();
  const config = environment['SKIFF_SSH_CONFIG'];
  const file = config === undefined || config === '' ? [] : ['-F', config];
  try {
    const { stdout } = await runProgram('ssh', [...file, '-G', '--', name], {
      timeout: 10_000,
      windowsHide: true,
      env: { ...environment },
    });
    return parseSshConfig(stdout, { name, home, thisUser: environment['USER'] ?? environment['LOGNAME'] ?? null });
  } catch {
    return parseSshConfig('', { name, home, thisUser: null });
  }
}

export function parseSshConfig(
  text: string,
  of: { readonly name: string; readonly home: string; readonly thisUser: string | null },
): SshHostConfig {
  const values = (key: string): string[] =>
    text.split('\n').flatMap((line) => (line.startsWith(`${key} `) ? [line.slice(key.length + 1).trim()] : []));
  const atHome = (path: string): string => (path.startsWith('~/') ? `${of.home}${path.slice(1)}` : path);
  const user = values('user')[0] ?? null;
  const jump = values('proxyjump')[0] ?? 'none';
  const files = [...values('userknownhostsfile'), ...values('globalknownhostsfile')].flatMap((all) => all.split(/\s+/));
  return {
    host: values('hostname')[0] ?? of.name,
    port: Number(values('port')[0] ?? 22),
    // `ssh -G` cannot tell a user that is configured from its default, the name of this computer's user.
    user: user === of.thisUser ? null : user,
    identityFiles: values('identityfile').map(atHome),
    knownHostsFiles: (files.length > 0 ? files : ['~/.ssh/known_hosts', '/etc/ssh/ssh_known_hosts']).map(atHome),
    hostKeyAlias: values('hostkeyalias')[0] ?? null,
    jumps: jump === 'none' ? [] : jump.split(','),
  };
}

/** `[user@]host[:port]`, `[user@][::1]:port`, `ssh://…`. */
export function parseJump(text: string): { readonly host: string; readonly port?: number; readonly user?: string } {
  const [, user, six, plain = '', port] =
    /^(?:ssh:\/\/)?(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(text.trim()) ?? [];
  return {
    host: six ?? plain,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port: Number(port) }),
  };
}
