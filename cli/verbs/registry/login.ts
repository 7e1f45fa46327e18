import type { RegistryAuth } from '../../../api/registries.ts';
import { Credentials, hubServer, serverOf } from '../../../logins/credentials.ts';
import type { Kept, Login } from '../../../logins/credentials.ts';
import { flag } from '../../flags/flag.ts';
import { describeError, writeLines } from '../../report.ts';
import { ask } from '../../terminal/ask.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

const tokenAddress = 'https://app.docker.com/settings/personal-access-tokens';
const maxSecretBytes = 64 * 1024;

export const login = defineVerb({
  usage: '[OPTIONS] [SERVER]',
  summary: 'Authenticate to a registry',
  details:
    'Without a server it is Docker Hub. Logins are shared with docker: config.json, its credential helpers, or the keychain.',
  flags: {
    password: flag.text({ short: 'p', help: 'Password or Personal Access Token (PAT)' }),
    passwordStdin: flag.switch({ help: 'Take the Password or Personal Access Token (PAT) from stdin' }),
    username: flag.text({ short: 'u', help: 'Username' }),
  },
  max: 1,
  offers: ['registry'],
  examples: [['-u jane --password-stdin ghcr.io < token', 'With a token that is in a file']],
  async run({ flags, args: [address], context }) {
    const server = address === undefined ? hubServer : serverOf(withoutScheme(address));
    const given = await readGiven(flags, context);
    const credentials = new Credentials(context.environment, context.platform);
    const wasRenewed =
      given.username === undefined && given.password === undefined && (await renew(credentials, server, context));
    if (wasRenewed) return 0;
    const { username, password } = await askForMissing(given, server, context);
    await authenticate(credentials, { username, password, serveraddress: server }, context);
    return 0;
  },
});

export const logout = defineVerb({
  usage: '[SERVER]',
  summary: 'Log out from a registry',
  details: 'Without a server it is Docker Hub.',
  flags: {},
  max: 1,
  offers: ['registry'],
  async run({ args: [address], context }) {
    const server = address === undefined ? hubServer : serverOf(withoutScheme(address));
    await writeLines(context.stdout, [`Removing login credentials for ${server}`]);
    await new Credentials(context.environment, context.platform).erase(server);
    return 0;
  },
});

interface Given {
  readonly username: string | undefined;
  readonly password: string | undefined;
}

async function readGiven(flags: Given & { readonly passwordStdin: boolean }, context: Context): Promise<Given> {
  const { username, password, passwordStdin } = flags;
  if (password !== undefined && passwordStdin) {
    throw new CommandError('conflicting options: cannot specify both --password and --password-stdin');
  }
  if (passwordStdin) {
    if (!username) throw new CommandError('the --password-stdin option requires --username to be set');
    return { username, password: await readSecret(context) };
  }
  if (username === '') throw new CommandError('username is empty');
  if (password === '') throw new CommandError('password is empty');
  if (password !== undefined) {
    await writeLines(context.stderr, ['WARNING! Using --password via the CLI is insecure. Use --password-stdin.']);
  }
  return { username, password };
}

/** All of stdin, without the newline that ends it. */
async function readSecret(context: Context): Promise<string> {
  let text = '';
  for await (const part of context.stdin) {
    text += part.toString();
    if (text.length > maxSecretBytes) throw new CommandError('what comes by stdin is too long for a password');
  }
  const secret = text.replace(/\n$/, '').replace(/\r$/, '');
  if (secret === '') throw new CommandError('password is empty');
  return secret;
}

/** With the login that is kept; false when there is none, or when it is not good any more. */
async function renew(credentials: Credentials, server: string, context: Context): Promise<boolean> {
  const kept = await credentials.get(server);
  if (kept === null) return false;
  const who = kept.username ? ` [Username: ${kept.username}]` : '';
  await writeLines(context.stderr, [`Authenticating with existing credentials...${who}`]);
  try {
    await authenticate(credentials, kept, context, [
      '',
      ` Info -> To login with a different account, run 'skiff logout' followed by 'skiff login'`,
      '',
      '',
    ]);
    return true;
  } catch (error) {
    await writeLines(context.stderr, [`Login did not succeed, error: ${describeError(error)}`]);
    return false;
  }
}

async function askForMissing(
  given: Given,
  server: string,
  context: Context,
): Promise<{ username: string; password: string }> {
  if (given.username !== undefined && given.password !== undefined) {
    return { username: given.username, password: given.password };
  }
  if (server === hubServer && context.stdin.isTTY) {
    await writeLines(context.stdout, [
      'Log in with your Docker ID or email address and a Personal Access Token:',
      tokenAddress,
      '',
    ]);
  }
  const questions = [
    ...(given.username === undefined ? [{ text: 'Username: ', isSecret: false }] : []),
    ...(given.password === undefined ? [{ text: 'Password: ', isSecret: true }] : []),
  ];
  const answers = [...(await ask(context, questions))];
  const username = given.username ?? (answers.shift() ?? '').trim();
  const password = given.password ?? answers.shift() ?? '';
  if (username === '') throw new CommandError('Error: Non-null Username Required');
  if (password === '') throw new CommandError('Error: Password Required');
  return { username, password };
}

/** Keeps what the registry has accepted, and says so. */
async function authenticate(
  credentials: Credentials,
  auth: RegistryAuth & { readonly serveraddress?: string },
  context: Context,
  remark: readonly string[] = [],
): Promise<void> {
  const server = auth.serveraddress ?? hubServer;
  const answer = await context.engine.registries.login(auth);
  await writeLines(context.stderr, remark);
  const kept = await credentials.keep(server, loginOf(auth, answer.IdentityToken));
  if (remark.length === 0) await writeLines(context.stderr, warningOf(kept));
  await writeLines(context.stdout, answer.Status ? [answer.Status] : []);
}

function loginOf({ username = '', password = '', identitytoken }: RegistryAuth, fresh: string | undefined): Login {
  const token = fresh || identitytoken;
  return token ? { kind: 'identity-token', username, token } : { kind: 'password', username, password };
}

function warningOf(kept: Kept): readonly string[] {
  if (kept.where === 'store') return [];
  return [
    '',
    `WARNING! Your credentials are stored unencrypted in '${kept.path}'.`,
    'Configure a credential helper to remove this warning. See',
    'https://docs.docker.com/go/credential-store/',
    '',
  ];
}

function withoutScheme(address: string): string {
  return address.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}
