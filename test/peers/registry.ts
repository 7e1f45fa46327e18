/**
 * Debian's docker-registry (the reference implementation of the distribution spec), on loopback, with a folder of its own:
 * plain, with TLS by an authority of its own, with passwords, or with tokens from `token-server.ts`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { freeLocalPort } from '../../provisioners/drivers/vm/local-port.ts';
import { fetchPackages, userCache } from './debian-packages.ts';
import { type MadeAuthority, makeAuthority } from './made-authority.ts';
import { startTokenServer, type TokenServer } from './token-server.ts';

/**
 * Linux takes it for this computer, engines do not take it for loopback: the way to meet a registry that has to prove who it
 * is, without a name server.
 */
export const anyAddress = '0.0.0.0';

/** A name that only a proxy leads anywhere. */
export const proxiedName = 'registry.example';

export interface RegistryOptions {
  readonly tls?: 'none' | 'private-authority';
  /** With tokens, `users` are the token server's. */
  readonly auth?: 'none' | 'basic' | 'token';
  readonly users?: Readonly<Record<string, string>>;
  /** With TLS: only clients with a certificate of the authority's are served. */
  readonly clients?: 'any' | 'certified';
  /** A port that is known before; else any free one. */
  readonly port?: number;
  /** Deletes of manifests and blobs are allowed. */
  readonly allowsDelete?: boolean;
  /** Makes it a pull-through cache of this registry. */
  readonly mirrorOf?: string;
  /** Of the host that it listens on: another than loopback when a namespace's own address is wanted. */
  readonly address?: string;
  /** Another registry's folder of blobs, to serve the same images from. */
  readonly storage?: string;
  /** Name of a network namespace of the caller's, to run in. */
  readonly netns?: string;
}

export interface RunningRegistry extends AsyncDisposable {
  /** `127.0.0.1:41234`: what stands before a repository's name. */
  readonly host: string;
  readonly url: string;
  /** Of TLS: what to trust, as a PEM text and as a folder like `/etc/docker/certs.d`. */
  readonly authority: MadeAuthority | null;
  readonly certificateFolder: string | null;
  readonly tokenServer: TokenServer | null;
  /** Where its blobs lie. */
  readonly storage: string;
  /** What it has been asked, newest last: the registry's own log. */
  log(): string;
}

/** Where Debian's registry program lies, fetched if it is not there yet. */
export function registryProgram(): string {
  const name = 'docker-registry-sid';
  const proof = 'usr/bin/docker-registry';
  return path.join(fetchPackages({ cacheFolder: userCache(), name, packages: ['docker-registry'], proof }), proof);
}

export async function startRegistry(options: RegistryOptions = {}): Promise<RunningRegistry> {
  const { tls = 'none', auth = 'none', users = {}, address = '127.0.0.1', netns } = options;
  const program = registryProgram();
  await using opening = new AsyncDisposableStack();
  const folder = mkdtempSync(path.join(os.tmpdir(), 'peer-registry-'));
  opening.defer(() => rmSync(folder, { recursive: true, force: true }));
  const port = options.port ?? (await freeLocalPort(null));
  const host = `${address}:${port}`;
  const authority =
    tls === 'none'
      ? null
      : makeAuthority(path.join(folder, 'authority'), [address, 'localhost', anyAddress, proxiedName]);
  const tokenServer =
    auth === 'token'
      ? opening.use(await startTokenServer({ folder: path.join(folder, 'tokens'), users, authority }))
      : null;
  const configFile = path.join(folder, 'config.yml');
  const storage = options.storage ?? path.join(folder, 'storage');
  if (auth === 'basic') writeFileSync(path.join(folder, 'htpasswd'), htpasswd(users));
  writeFileSync(configFile, configOf({ options, host, folder, storage, authority, tokenServer }));
  const command = [program, 'serve', configFile];
  const [file = '', ...words] = netns === undefined ? command : ['nsenter', `--net=/run/netns/${netns}`, ...command];
  const child = spawn(file, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OTEL_TRACES_EXPORTER: 'none' },
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  opening.defer(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  await untilListening(
    () => log,
    () => child.exitCode !== null,
  );
  const opened = opening.move();
  return {
    host,
    url: `${tls === 'none' ? 'http' : 'https'}://${host}`,
    authority,
    certificateFolder: authority?.folderFor(host) ?? null,
    tokenServer,
    storage,
    log: () => log,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

interface ConfigParts {
  readonly options: RegistryOptions;
  readonly host: string;
  readonly folder: string;
  readonly storage: string;
  readonly authority: MadeAuthority | null;
  readonly tokenServer: TokenServer | null;
}

/** YAML reads JSON. */
function configOf({ options, host, folder, storage, authority, tokenServer }: ConfigParts): string {
  return JSON.stringify({
    version: 0.1,
    log: { level: 'info', accesslog: { disabled: false } },
    storage: { filesystem: { rootdirectory: storage }, delete: { enabled: options.allowsDelete ?? true } },
    http: {
      addr: host,
      ...(authority === null ? {} : { tls: tlsOf(options, authority) }),
    },
    ...(options.mirrorOf === undefined ? {} : { proxy: { remoteurl: options.mirrorOf } }),
    ...(options.auth === 'basic' ? { auth: { htpasswd: { realm: 'peer', path: path.join(folder, 'htpasswd') } } } : {}),
    ...(tokenServer === null
      ? {}
      : {
          auth: {
            token: {
              realm: tokenServer.realm,
              service: tokenServer.service,
              issuer: tokenServer.issuer,
              rootcertbundle: tokenServer.certificateFile,
            },
          },
        }),
  });
}

function tlsOf({ clients = 'any' }: RegistryOptions, authority: MadeAuthority): object {
  const { certificateFile: certificate, keyFile: key, authorityFile } = authority;
  return { certificate, key, ...(clients === 'any' ? {} : { clientcas: [authorityFile] }) };
}

/** The registry takes bcrypt alone. */
function htpasswd(users: Readonly<Record<string, string>>): string {
  return Object.entries(users)
    .map(([user, password]) => `${user}:${bcrypt(password)}\n`)
    .join('');
}

/** By the C library's crypt(3), whose `$2b$` Debian's libcrypt has; perl is always there on Debian. */
function bcrypt(password: string): string {
  const salt = '$2b$04$abcdefghijklmnopqrstuu';
  const hash = execFileSync('perl', ['-e', 'print crypt($ARGV[0], $ARGV[1])', password, salt], { encoding: 'utf8' });
  if (!hash.startsWith('$2b$')) throw new Error('crypt(3) of this computer has no bcrypt');
  return hash;
}

async function untilListening(log: () => string, hasEnded: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (performance.now() < deadline) {
    if (log().includes('listening on')) return;
    if (hasEnded()) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`the registry does not start:\n${log()}`);
}
