/** A certificate authority of a test's own, with one server's certificate, made by openssl. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';

export interface MadeAuthority {
  /** PEM text of the authority's certificate. */
  readonly authority: string;
  readonly authorityFile: string;
  /** Of the server, with its key beside it. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** A folder like `/etc/docker/certs.d` in which this host has the authority. */
  folderFor(host: string): string;
  /** A client's certificate in that folder too, signed by the authority. */
  addClient(host: string): void;
}

/** `names`: host names and addresses of the server. */
export function makeAuthority(folder: string, names: readonly string[]): MadeAuthority {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const at = (name: string): string => path.join(folder, name);
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.crt'),
    '-days',
    '30',
    '-subj',
    '/CN=a test authority',
  );
  const sign = (name: string, subject: string, extension: string): void => {
    openssl('req', ...key, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${subject}`);
    writeFileSync(at(`${name}.ext`), extension);
    openssl(
      ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial'],
      ...['-out', at(`${name}.crt`), '-days', '30', '-extfile', at(`${name}.ext`)],
    );
  };
  const alternatives = names.map((name) => `${net.isIP(name) === 0 ? 'DNS' : 'IP'}:${name}`).join(',');
  sign('server', names[0] ?? 'server', `subjectAltName=${alternatives}\n`);
  const folderFor = (host: string): string => {
    mkdirSync(path.join(folder, 'certs.d', host), { recursive: true });
    copyFileSync(at('ca.crt'), path.join(folder, 'certs.d', host, 'ca.crt'));
    return at('certs.d');
  };
  return {
    authority: readFileSync(at('ca.crt'), 'utf8'),
    authorityFile: at('ca.crt'),
    certificateFile: at('server.crt'),
    keyFile: at('server.key'),
    folderFor,
    addClient(host) {
      sign('client', 'a client', 'extendedKeyUsage=clientAuth\n');
      copyFileSync(at('client.crt'), path.join(folderFor(host), host, 'client.cert'));
      copyFileSync(at('client.key'), path.join(folderFor(host), host, 'client.key'));
    },
  };
}
