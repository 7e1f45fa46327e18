import { existsSync, mkdirSync, readFileSync, realpathSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { messageOf } from '../client/errors.ts';
import { LoginError } from './login-error.ts';

/** What docker keeps of a login in its file; fields are empty or not there where the secret is elsewhere. */
export interface StoredAuth {
  /** base64 of `user:password`. */
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** The part of docker's config.json that logins are about. */
interface ConfigDocument {
  readonly auths?: Readonly<Record<string, StoredAuth>>;
  /** The credential helper for all servers: `osxkeychain` for docker-credential-osxkeychain. */
  readonly credsStore?: string;
  /** Helpers for single servers. */
  readonly credHelpers?: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * docker's own `config.json`: docker and Skiff share their logins. Everything else in it stays as it is. Read anew at each call, written in
 * one rename, for its owner alone.
 */
export class ConfigFile {
  readonly path: string;

  constructor(environment: Environment) {
    this.path = join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'config.json');
  }

  /** Throws LoginError when what is there is no config. */
  read(): ConfigDocument {
    return this.#parse();
  }

  /** Puts `auth` in the place of what is kept for `server`; null takes it away. */
  setAuth(server: string, auth: StoredAuth | null): void {
    this.#change(({ auths = {}, ...rest }) => ({ ...rest, auths: withEntry(auths, server, auth) }));
  }

  /** Names the helper that keeps the logins of `server`; null: none does. */
  setHelper(server: string, helper: string | null): void {
    this.#change(({ credHelpers = {}, ...rest }) => ({ ...rest, credHelpers: withEntry(credHelpers, server, helper) }));
  }

  setStore(helper: string): void {
    this.#change((document) => ({ ...document, credsStore: helper }));
  }

  #change(change: (document: ConfigDocument) => ConfigDocument): void {
    const text = JSON.stringify(change(this.#parse()), null, '\t');
    // Some keep it in a folder of dotfiles and a link to it here: the link stays.
    const path = existsSync(this.path) ? realpathSync(this.path) : this.path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const fresh = `${path}.${process.pid}.new`;
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, path);
  }

  #parse(): ConfigDocument {
    if (!existsSync(this.path)) return {};
    const wrong = (why: string, cause?: unknown): LoginError =>
      new LoginError(`${this.path} cannot be read: ${why}. Mend it, or move it away and log in again`, { cause });
    let value: unknown;
    try {
      const text = readFileSync(this.path, 'utf8');
      value = text.trim() === '' ? {} : JSON.parse(text);
    } catch (error) {
      // What JSON.parse quotes of the text may be a secret.
      throw error instanceof SyntaxError ? wrong('it is no JSON') : wrong(messageOf(error), error);
    }
    if (!isRecord(value)) throw wrong('it holds no object');
    const { auths = {}, credHelpers = {}, credsStore = '' } = value;
    if (!isRecord(auths) || !Object.values(auths).every(isRecord)) throw wrong('"auths" is no object of objects');
    if (!isRecord(credHelpers)) throw wrong('"credHelpers" is no object');
    if (typeof credsStore !== 'string') throw wrong('"credsStore" is no string');
    return value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withEntry<V>(entries: Readonly<Record<string, V>>, key: string, value: V | null): Record<string, V> {
  const { [key]: _old, ...rest } = entries;
  return value === null ? rest : { ...rest, [key]: value };
}
