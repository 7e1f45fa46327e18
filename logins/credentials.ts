import type { RegistryAuth } from '../api/registries.ts';
import { ConfigFile } from './config-file.ts';
import type { StoredAuth } from './config-file.ts';
import { credentialHelper, findProgram } from './credential-helper.ts';
import type { Secret, SecretStore } from './credential-helper.ts';
import { systemKeychain, usualHelper } from './keychains.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where logins to Docker Hub are kept, and what they are for. */
export const hubServer = 'https://index.docker.io/v1/';
const identityUser = '<token>';

/** The key under which the login of a registry is kept. */
export function serverOf(domain: string): string {
  return domain === 'docker.io' || domain === 'index.docker.io' ? hubServer : domain;
}

/** A login, as `login` writes it and transfers send it. */
export type Login =
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'identity-token'; readonly username: string; readonly token: string };

/** Where a login has been put. */
export type Kept =
  { readonly where: 'store'; readonly name: string } | { readonly where: 'file'; readonly path: string };

/**
 * The logins of this person, where docker looks for its own: the credential helper that config.json names for a server or for all, else
 * config.json itself. A new login goes, where nothing is named yet, to the helper that this system is known for when it is installed; else, when
 * docker is not installed (it could not read it there), to the keychain of the system by its own tool; else to the file.
 */
export class Credentials {
  readonly #environment: Environment;
  readonly #platform: NodeJS.Platform;
  readonly #config: ConfigFile;

  constructor(environment: Environment, platform: NodeJS.Platform) {
    this.#environment = environment;
    this.#platform = platform;
    this.#config = new ConfigFile(environment);
  }

  /** Null when there is none. Throws LoginError when the store that should have it cannot be asked. */
  async get(server: string): Promise<RegistryAuth | null> {
    const document = this.#config.read();
    const helper = document.credHelpers?.[server] ?? document.credsStore ?? '';
    if (helper !== '') {
      const secret = await this.#store(helper).get(server);
      if (secret !== null) return { ...fieldsOf(loginOf(secret)), serveraddress: server };
    }
    const auth = find(document.auths ?? {}, server);
    const fields = auth === null ? null : decode(auth);
    return fields === null ? null : { ...fields, serveraddress: server };
  }

  /** Those of which there is a login, by the names that people type. */
  servers(): readonly string[] {
    const { auths, credHelpers } = this.#config.read();
    const all = [...Object.keys(auths ?? {}), ...Object.keys(credHelpers ?? {})];
    return [...new Set(all.map(hostOf))];
  }

  async keep(server: string, login: Login): Promise<Kept> {
    const helper = this.#helperForNew(server);
    if (helper === null) {
      this.#config.setAuth(server, encode(login));
      return { where: 'file', path: this.#config.path };
    }
    const store = this.#store(helper.name);
    try {
      await store.store(server, secretOf(login));
    } catch (error) {
      // Nobody has asked for this keychain: where it is not there after all, the file is where docker would put it.
      if (helper.isFor !== 'server') throw error;
      this.#config.setAuth(server, encode(login));
      return { where: 'file', path: this.#config.path };
    }
    if (helper.isFor === 'all') this.#config.setStore(helper.name);
    if (helper.isFor === 'server') this.#config.setHelper(server, helper.name);
    // An empty entry tells docker that there is a login; an old secret does not stay beside the new one.
    this.#config.setAuth(server, {});
    return { where: 'store', name: store.name };
  }

  async erase(server: string): Promise<void> {
    const { credHelpers, credsStore, auths } = this.#config.read();
    const helper = credHelpers?.[server] ?? credsStore ?? '';
    if (helper !== '') await this.#store(helper).erase(server);
    if (auths?.[server] !== undefined) this.#config.setAuth(server, null);
    // What stands for the keychain's own tool would be a helper that is missing for a docker that comes later.
    if (credHelpers?.[server] !== undefined && !this.#has(`docker-credential-${helper}`)) {
      this.#config.setHelper(server, null);
    }
  }

  /** The keychain itself, where its helper is not installed. */
  #store(helper: string): SecretStore {
    const isThere = findProgram(`docker-credential-${helper}`, this.#environment, this.#platform) !== null;
    const keychain = isThere ? null : systemKeychain(helper, this.#environment, this.#platform);
    return keychain ?? credentialHelper(helper, this.#environment);
  }

  #helperForNew(server: string): { readonly name: string; readonly isFor: 'all' | 'server' | 'known' } | null {
    const { credHelpers, credsStore, auths } = this.#config.read();
    const named = credHelpers?.[server] ?? credsStore ?? '';
    if (named !== '') return { name: named, isFor: 'known' };
    const name = usualHelper(this.#environment, this.#platform);
    // docker itself turns to a helper only where it has kept nothing in the file yet.
    const isNew = Object.keys(auths ?? {}).length === 0 && Object.keys(credHelpers ?? {}).length === 0;
    if (isNew && this.#has(`docker-credential-${name}`)) return { name, isFor: 'all' };
    const isAlone = !this.#has('docker') && systemKeychain(name, this.#environment, this.#platform) !== null;
    return isAlone ? { name, isFor: 'server' } : null;
  }

  #has(program: string): boolean {
    return findProgram(program, this.#environment, this.#platform) !== null;
  }
}

function find(auths: Readonly<Record<string, StoredAuth>>, server: string): StoredAuth | null {
  const exact = Object.hasOwn(auths, server) ? auths[server] : undefined;
  if (exact !== undefined) return exact;
  // Old files have the address of an API where today the host stands.
  const host = hostOf(server);
  return Object.entries(auths).find(([key]) => hostOf(key) === host)?.[1] ?? null;
}

function hostOf(server: string): string {
  return server.replace(/^https?:\/\//, '').replace(/\/.*$/, '');
}

function decode(stored: StoredAuth): RegistryAuth | null {
  const { auth = '', username = '', password = '', identitytoken = '', registrytoken = '' } = stored;
  const [user, secret] = auth === '' ? [username, password] : userAndPassword(auth);
  if (identitytoken !== '') return { username: user, identitytoken };
  if (registrytoken !== '') return { registrytoken };
  return user === '' ? null : { username: user, password: secret };
}

function userAndPassword(auth: string): readonly [user: string, password: string] {
  const text = Buffer.from(auth, 'base64').toString('utf8').replace(/\0+$/, '');
  const colon = text.indexOf(':');
  return colon < 0 ? ['', ''] : [text.slice(0, colon), text.slice(colon + 1)];
}

function encode(login: Login): StoredAuth {
  const secret = login.kind === 'password' ? login.password : '';
  const auth = Buffer.from(`${login.username}:${secret}`, 'utf8').toString('base64');
  return login.kind === 'password' ? { auth } : { auth, identitytoken: login.token };
}

function fieldsOf(login: Login): RegistryAuth {
  return login.kind === 'password'
    ? { username: login.username, password: login.password }
    : { identitytoken: login.token };
}

function secretOf(login: Login): Secret {
  return login.kind === 'password'
    ? { username: login.username, secret: login.password }
    : { username: identityUser, secret: login.token };
}

function loginOf({ username, secret }: Secret): Login {
  return username === identityUser
    ? { kind: 'identity-token', username: '', token: secret }
    : { kind: 'password', username, password: secret };
}
