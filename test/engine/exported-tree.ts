import http from 'node:http';
import { createHash } from 'node:crypto';
import { type TarEntry } from '../../api/tar/entry.ts';
import { TarReader } from '../../api/tar/reader.ts';
import { call } from './api.ts';

export interface ExportedFile extends Pick<
  TarEntry,
  'kind' | 'mode' | 'userId' | 'groupId' | 'sizeBytes' | 'modifiedNs'
> {
  /** Target of a link, as a byte string. */
  readonly link: string;
  readonly content: string;
  readonly capability: string;
}

/** What a container of this image sees, by the real overlay, by path (byte strings without slashes at the ends). */
export async function exportedTree(socket: string, image: string): Promise<ReadonlyMap<string, ExportedFile>> {
  const made = await call(socket, 'POST', '/containers/create', { Image: image });
  if (made.status !== 201) throw new Error(made.text);
  const { Id } = made.json() as { Id: string };
  try {
    const files = new Map<string, ExportedFile>();
    const reader = new TarReader();
    let entry: TarEntry | null = null;
    let hash = createHash('sha256');
    const take = (event: ReturnType<TarReader['push']> extends Iterable<infer T> ? T : never): void => {
      if (event.kind === 'entry') {
        entry = event.entry;
        hash = createHash('sha256');
      } else if (event.kind === 'data') hash.update(event.bytes);
      else if (entry !== null) {
        const { kind, name, linkName, mode, userId, groupId, sizeBytes, modifiedNs, xattrs } = entry;
        const path = name.toString('latin1').replace(/^\.?\/|\/$/g, '');
        const capability = xattrs.get('security.capability')?.toString('hex') ?? '';
        const link = linkName.toString('latin1');
        const content = kind === 'file' ? hash.digest('hex') : '';
        files.set(path, { kind, mode, userId, groupId, sizeBytes, modifiedNs, link, content, capability });
      }
    };
    for await (const chunk of await exportOf(socket, Id)) for (const event of reader.push(chunk)) take(event);
    for (const event of reader.end()) take(event);
    return files;
  } finally {
    await call(socket, 'DELETE', `/containers/${Id}?force=1`);
  }
}

function exportOf(socketPath: string, id: string): Promise<AsyncIterable<Buffer>> {
  return new Promise((resolve, reject) => {
    const sent = http.get({ socketPath, path: `/containers/${id}/export`, timeout: 60_000 }, (response) => {
      if (response.statusCode === 200) resolve(response as AsyncIterable<Buffer>);
      else reject(new Error(`export: ${response.statusCode}`));
    });
    sent.once('error', reject);
  });
}
