import http from 'node:http';
import { TarReader } from '../../api/tar/reader.ts';
import type { TarEntry } from '../../api/tar/entry.ts';

export interface ArchiveAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
  /** Docker's error, empty when there is none. */
  readonly message: string;
  /** `X-Docker-Container-Path-Stat`, read. */
  readonly stat: Readonly<Record<string, unknown>> | null;
}

/** HEAD, GET or PUT of a path in a container. */
export function archive(
  socketPath: string,
  method: 'HEAD' | 'GET' | 'PUT',
  request: { readonly container: string; readonly path: string; readonly query?: string; readonly body?: Buffer },
  headers: Readonly<Record<string, string>> = {},
): Promise<ArchiveAnswer> {
  const { container, path, query = '', body } = request;
  const url = `/v1.51/containers/${container}/archive?path=${encodeURIComponent(path)}${query}`;
  return new Promise((resolve, reject) => {
    const length =
      body === undefined ? {} : { 'Content-Length': String(body.length), 'Content-Type': 'application/x-tar' };
    const sent = http.request({ socketPath, method, path: url, timeout: 60_000, headers: { ...length, ...headers } });
    sent.once('timeout', () => sent.destroy(new Error(`${method} ${url}: no answer`)));
    sent.once('error', reject);
    sent.once('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        const told = response.headers['x-docker-container-path-stat'];
        const bytes = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: bytes,
          message: messageOf(bytes),
          stat:
            typeof told === 'string'
              ? (JSON.parse(Buffer.from(told, 'base64').toString()) as Readonly<Record<string, unknown>>)
              : null,
        });
      });
    });
    sent.end(body);
  });
}

/** What a tar holds: entries with their content. */
export function entriesOf(tar: Buffer): readonly { readonly entry: TarEntry; readonly content: Buffer }[] {
  const reader = new TarReader();
  const found: { entry: TarEntry; content: Buffer }[] = [];
  for (const event of [...reader.push(tar), ...reader.end()]) {
    if (event.kind === 'entry') found.push({ entry: event.entry, content: Buffer.alloc(0) });
    const last = found.at(-1);
    if (event.kind === 'data' && last !== undefined) last.content = Buffer.concat([last.content, event.bytes]);
  }
  return found;
}

/** Names as they stand in a tar. */
export function namesOf(tar: Buffer): readonly string[] {
  return entriesOf(tar).map(({ entry }) => entry.name.toString());
}

function messageOf(body: Buffer): string {
  try {
    return (JSON.parse(body.toString()) as { message?: string }).message ?? '';
  } catch {
    return ''; // an archive, or nothing
  }
}
