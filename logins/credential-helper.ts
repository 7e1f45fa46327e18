import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { LoginError } from './login-error.ts';

/**
 * A store of secrets outside of this program: what docker's credential helpers do (source: the protocol of github.com/docker/docker-credential-helpers),
 * done by one of them or by what the system has itself.
 */
export interface SecretStore {
  /** As messages name it. */
  readonly name: string;
  /** Null when it has nothing for this server. */
  get(server: string): Promise<Secret | null>;
  store(server: string, secret: Secret): Promise<void>;
  /** Not there is as good as gone. */
  erase(server: string): Promise<void>;
}

export interface Secret {
  /** `<token>`: the secret is an identity token. */
  readonly username: string;
  readonly secret: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** A helper may ask for the password of a keychain. */
const helperMs = 120_000;
const maxOutputBytes = 1024 * 1024;
const notFound = /credentials not found/i;

/** Where a program stands in the path; null when it does not. */
export function findProgram(name: string, environment: Environment, platform: NodeJS.Platform): string | null {
  const endings = platform === 'win32' ? ['.exe', '.cmd', '.bat'] : [''];
  for (const folder of (environment['PATH'] ?? '').split(delimiter)) {
    for (const ending of endings) {
      const path = join(folder, name + ending);
      if (folder !== '' && existsSync(path)) return path;
    }
  }
  return null;
}

/** The helper `docker-credential-<helper>`: one call a question, secrets by stdin and stdout only. */
export function credentialHelper(helper: string, environment: Environment): SecretStore {
  const name = `docker-credential-${helper}`;
  const ask = (verb: string, input: string): Promise<ProgramAnswer> =>
    runWithSecret({ file: name, args: [verb], input, environment });
  const check = ({ exitCode, stdout }: ProgramAnswer): void => {
    // A helper tells on stdout what is wrong. Its answer to `get` is a secret, but then it does not fail.
    if (exitCode !== 0) throw new LoginError(`${name} failed: ${stdout.trim() || `exit code ${exitCode}`}`);
  };
  return {
    name,
    async get(server) {
      const answer = await ask('get', server);
      if (answer.exitCode !== 0 && notFound.test(answer.stdout)) return null;
      check(answer);
      return secretOf(answer.stdout, name);
    },
    async store(server, { username, secret }) {
      check(await ask('store', JSON.stringify({ ServerURL: server, Username: username, Secret: secret })));
    },
    async erase(server) {
      const answer = await ask('erase', server);
      if (!notFound.test(answer.stdout)) check(answer);
    },
  };
}

function secretOf(text: string, name: string): Secret {
  try {
    const value: unknown = JSON.parse(text);
    const { Username: username, Secret: secret } = value as { readonly Username?: unknown; readonly Secret?: unknown };
    if (typeof username === 'string' && typeof secret === 'string') return { username, secret };
  } catch {
    // Told below, without what it said: that may hold the secret.
  }
  throw new LoginError(`${name} gave an answer that is not of the protocol of credential helpers`);
}

interface ProgramAnswer {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program that reads a secret from stdin or writes one to stdout. Throws LoginError when it is not there or does not end. */
export function runWithSecret(call: {
  readonly file: string;
  readonly args: readonly string[];
  readonly input: string;
  readonly environment: Environment;
}): Promise<ProgramAnswer> {
  const { file, args, input, environment } = call;
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'pipe', env: environment, windowsHide: true, timeout: helperMs });
    const parts = { stdout: '', stderr: '' };
    for (const key of ['stdout', 'stderr'] as const) {
      child[key].setEncoding('utf8').on('data', (part: string) => {
        if (parts[key].length < maxOutputBytes) parts[key] += part;
      });
    }
    child.stdin.on('error', () => undefined); // It may end before it has read everything; its exit code tells.
    child.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'it is not installed' : error.message;
      reject(new LoginError(`${file} cannot be run: ${why}`, { cause: error }));
    });
    child.once('close', (exitCode, signal) => {
      if (signal === null) resolve({ exitCode, ...parts });
      else
        reject(
          new LoginError(
            `${file} was ended by ${signal}${child.killed ? `: it took longer than ${helperMs / 1000} s` : ''}`,
          ),
        );
    });
    child.stdin.end(input);
  });
}
