/**
 * A token server for a registry (source: distribution spec, "Token Authentication" and "JWT Authentication"): who names a user and his
 * password, or an identity token, may pull and push; who names nobody may pull what is not private.
 */
import { execFileSync } from 'node:child_process';
import { createPrivateKey, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import type { MadeAuthority } from './made-authority.ts';

export interface TokenServer extends AsyncDisposable {
  /** Address to get tokens from. */
  readonly realm: string;
  readonly service: string;
  readonly issuer: string;
  /** What signs the tokens: for the registry's `rootcertbundle`. */
  readonly certificateFile: string;
  /** What has been asked, in order. Passwords are not in it. */
  readonly requests: readonly TokenServerRequest[];
  /** Seconds that further tokens live. */
  lifeSeconds: number;
  /** Repositories that nobody may pull without a user. */
  readonly privateNames: Set<string>;
}

export interface TokenServerRequest {
  readonly method: string;
  readonly scopes: readonly string[];
  /** Who it was; null: nobody, or wrong credentials. */
  readonly user: string | null;
  readonly proof: 'none' | 'basic' | 'identity-token';
}

export interface TokenServerOptions {
  readonly folder: string;
  readonly users: Readonly<Record<string, string>>;
  /** For HTTPS; null: plain HTTP. */
  readonly authority: MadeAuthority | null;
}

const service = 'peer-registry';
const issuer = 'peer-token-server';

export async function startTokenServer({ folder, users, authority }: TokenServerOptions): Promise<TokenServer> {
  const signer = makeSigner(folder);
  const requests: TokenServerRequest[] = [];
  const identityTokens = new Map<string, string>();
  const privateNames = new Set<string>();
  const state = { lifeSeconds: 300 };

  const handle = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    const asked = await readRequest(request, users, identityTokens);
    requests.push(asked.record);
    response.setHeader('Content-Type', 'application/json');
    if (asked.record.proof !== 'none' && asked.record.user === null) {
      response.writeHead(401).end(JSON.stringify({ details: 'incorrect username or password' }));
      return;
    }
    const access = asked.record.scopes.flatMap((scope) => granted(scope, asked.record.user, privateNames));
    const token = signer.token({ subject: asked.record.user ?? '', access, lifeSeconds: state.lifeSeconds });
    const refresh = asked.wantsIdentityToken && asked.record.user !== null ? randomBytes(12).toString('hex') : null;
    if (refresh !== null && asked.record.user !== null) identityTokens.set(refresh, asked.record.user);
    const refreshField = refresh === null ? {} : { refresh_token: refresh };
    response
      .writeHead(200)
      .end(JSON.stringify({ token, access_token: token, expires_in: state.lifeSeconds, ...refreshField }));
  };
  const listener = (request: http.IncomingMessage, response: http.ServerResponse): void => {
    handle(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  };
  const server =
    authority === null
      ? http.createServer(listener)
      : https.createServer(
          { cert: readFileSync(authority.certificateFile), key: readFileSync(authority.keyFile) },
          listener,
        );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  authority?.folderFor(`127.0.0.1:${port}`);
  return {
    realm: `${authority === null ? 'http' : 'https'}://127.0.0.1:${port}/token`,
    service,
    issuer,
    certificateFile: signer.certificateFile,
    requests,
    privateNames,
    get lifeSeconds() {
      return state.lifeSeconds;
    },
    set lifeSeconds(seconds) {
      state.lifeSeconds = seconds;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface ReadRequest {
  readonly record: TokenServerRequest;
  readonly wantsIdentityToken: boolean;
}

async function readRequest(
  request: http.IncomingMessage,
  users: Readonly<Record<string, string>>,
  identityTokens: ReadonlyMap<string, string>,
): Promise<ReadRequest> {
  const url = new URL(request.url ?? '/', 'http://peer');
  const method = request.method ?? '';
  if (method === 'POST') {
    let body = '';
    for await (const chunk of request as AsyncIterable<Buffer>) body += chunk.toString();
    const form = new URLSearchParams(body);
    const user = identityTokens.get(form.get('refresh_token') ?? '') ?? null;
    const scopes = (form.get('scope') ?? '').split(' ').filter((scope) => scope !== '');
    return { record: { method, scopes, user, proof: 'identity-token' }, wantsIdentityToken: false };
  }
  const scopes = url.searchParams.getAll('scope').flatMap((scope) => scope.split(' '));
  const header = /^Basic (.*)$/.exec(request.headers.authorization ?? '')?.[1];
  const [user = '', password] = Buffer.from(header ?? '', 'base64')
    .toString()
    .split(':');
  const known = header !== undefined && users[user] !== undefined && users[user] === password ? user : null;
  return {
    record: { method, scopes, user: known, proof: header === undefined ? 'none' : 'basic' },
    wantsIdentityToken: url.searchParams.get('offline_token') === 'true',
  };
}

interface Access {
  readonly type: string;
  readonly name: string;
  readonly actions: readonly string[];
}

function granted(scope: string, user: string | null, privateNames: ReadonlySet<string>): readonly Access[] {
  const [type = '', ...rest] = scope.split(':');
  const wanted = (rest.at(-1) ?? '').split(',');
  const name = rest.slice(0, -1).join(':');
  const allowed = user !== null ? ['pull', 'push', '*'] : privateNames.has(name) ? [] : ['pull'];
  return [{ type, name, actions: wanted.filter((action) => allowed.includes(action)) }];
}

interface Signer {
  readonly certificateFile: string;
  token(claims: { readonly subject: string; readonly access: readonly Access[]; readonly lifeSeconds: number }): string;
}

function makeSigner(folder: string): Signer {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const keyFile = path.join(folder, 'signer.key');
  const certificateFile = path.join(folder, 'signer.crt');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const words = [
    'req',
    '-x509',
    ...key,
    '-keyout',
    keyFile,
    '-out',
    certificateFile,
    '-days',
    '30',
    '-subj',
    '/CN=signer',
  ];
  execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  const privateKey = createPrivateKey(readFileSync(keyFile));
  const certificate = new X509Certificate(readFileSync(certificateFile)).raw.toString('base64');
  const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return {
    certificateFile,
    token({ subject, access, lifeSeconds }) {
      const now = Math.floor(Date.now() / 1000);
      const header = encoded({ typ: 'JWT', alg: 'ES256', x5c: [certificate] });
      const claims = encoded({
        ...{ iss: issuer, sub: subject, aud: service, access },
        ...{ iat: now, nbf: now - 10, exp: now + lifeSeconds, jti: randomBytes(8).toString('hex') },
      });
      const signature = sign('sha256', Buffer.from(`${header}.${claims}`), {
        key: privateKey,
        dsaEncoding: 'ieee-p1363',
      });
      return `${header}.${claims}.${signature.toString('base64url')}`;
    },
  };
}
