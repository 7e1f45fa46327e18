/**
 * Who is believed when a registry proves who it is: Node's own list of public authorities, and what the owner of this
 * host added to the system's. Node can be asked for the system's whole list, but reads hundreds of files for it and holds the
 * event loop for a quarter of a second; the one file that every distribution makes of them is enough, and only what Node's list lacks.
 */
import { readFileSync } from 'node:fs';
import tls from 'node:tls';

/** In the order in which Go looks for them, so that dockerd and skiffd believe the same. */
const bundles = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
];

/** For `tls.createSecureContext`: undefined when Node's own list is all. `own`: of this registry alone. */
export function authoritiesWith(
  own: readonly string[],
  files: readonly string[] = bundles,
): readonly string[] | undefined {
  const bundled = tls.getCACertificates('bundled');
  const known = new Set(bundled.map(bodyOf));
  const added = certificatesIn(firstText(files)).filter((certificate) => !known.has(bodyOf(certificate)));
  return added.length + own.length === 0 ? undefined : [...bundled, ...added, ...own];
}

function firstText(files: readonly string[]): string {
  for (const file of files) {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return '';
}

function certificatesIn(text: string): readonly string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

function bodyOf(certificate: string): string {
  return certificate.replace(/-----[A-Z ]+-----|\s/g, '');
}
