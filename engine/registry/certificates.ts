/** Certificates for one registry, from folders like docker's `/etc/docker/certs.d/<host>` (source: docker's docs, "Verify repository client with certificates"). */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { invalid } from '../model/errors.ts';

export interface Certificates {
  /** PEM texts of additional authorities. */
  readonly authorities: readonly string[];
  /** PEM; null: the client shows none. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
}

/** Of the first folder that knows this host. Throws `invalid` for a certificate without its key, and the other way round. */
export function readCertificates(folders: readonly string[], host: string): Certificates {
  for (const parent of folders) {
    const folder = path.join(parent, host);
    const names = namesIn(folder);
    if (names !== null) return certificatesOf(folder, names);
  }
  return { authorities: [], client: null };
}

function certificatesOf(folder: string, names: readonly string[]): Certificates {
  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  const clients = names.filter((name) => name.endsWith('.cert'));
  const missing =
    clients.map((name) => name.replace(/\.cert$/, '.key')).find((key) => !names.includes(key)) ??
    names
      .filter((name) => name.endsWith('.key'))
      .map((name) => name.replace(/\.key$/, '.cert'))
      .find((certificate) => !names.includes(certificate));
  if (missing !== undefined)
    throw invalid(`missing ${missing} in ${folder}: client certificates come as NAME.cert with NAME.key`);
  const [certificate] = clients;
  return {
    authorities: names.filter((name) => name.endsWith('.crt')).map(read),
    client:
      certificate === undefined
        ? null
        : { certificate: read(certificate), key: read(certificate.replace(/\.cert$/, '.key')) },
  };
}

function namesIn(folder: string): readonly string[] | null {
  try {
    return readdirSync(folder).toSorted();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return null;
    throw error;
  }
}
