import type { Readable } from 'node:stream';
import type { FilesystemChange, PathStat } from '../api/containers.ts';
import { answerOf, listOf } from './answers.ts';
import { EngineUnreachable } from './errors.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

/** A tar stream that comes from the engine; destroying it ends the transfer. */
export interface TarDownload {
  readonly tar: Readable;
}

export interface PathDownload extends TarDownload {
  /** What the path itself is, before any link is followed. */
  readonly stat: PathStat;
}

export interface UploadOptions {
  /** Refuse to replace a folder by a file and a file by a folder. */
  readonly noOverwriteDirNonDir?: boolean;
  /** Keep owners of the archive: without it the files are root's. */
  readonly copyUidGid?: boolean;
}

const statHeader = 'x-docker-container-path-stat';

/** Files of containers, running or not: single paths as tar archives, the whole filesystem, what has changed in it. */
export class FilesClient {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Throws EngineError 404 when the container or the path is not there. */
  async stat(container: string, path: string, call: CallOptions = {}): Promise<PathStat> {
    const request = { method: 'HEAD', path: pathOf(container, 'archive'), query: { path }, ...call } as const;
    return pathStat((await this.#session.call(request)).headers[statHeader]);
  }

  /** The file or folder as a tar archive whose first entry has its last name. */
  async read(container: string, path: string, call: CallOptions = {}): Promise<PathDownload> {
    const request = { method: 'GET', path: pathOf(container, 'archive'), query: { path }, ...call } as const;
    const { body } = await this.#session.stream(request);
    return { tar: body, stat: pathStat(body.headers[statHeader]) };
  }

  /** Unpacks a tar archive into the folder `path`, which must be there. */
  async write(
    container: string,
    target: UploadOptions & { readonly path: string },
    tar: Readable,
    call: CallOptions = {},
  ): Promise<void> {
    const { path, noOverwriteDirNonDir = true, copyUidGid } = target;
    const query = { path, noOverwriteDirNonDir, copyUIDGID: copyUidGid || undefined };
    await this.#session.call({ method: 'PUT', path: pathOf(container, 'archive'), query, upload: tar, ...call });
  }

  /** The whole filesystem as a tar archive, without what is mounted into it. */
  async export(container: string, call: CallOptions = {}): Promise<TarDownload> {
    const { body } = await this.#session.stream({ method: 'GET', path: pathOf(container, 'export'), ...call });
    return { tar: body };
  }

  /** What differs from the image. */
  async changes(container: string, call: CallOptions = {}): Promise<readonly FilesystemChange[]> {
    const { text } = await this.#session.call({ method: 'GET', path: pathOf(container, 'changes'), ...call });
    if (text.trim() === 'null') return []; // Go's way to write an empty list.
    return listOf<FilesystemChange>(text, 'changes', { Kind: 'number', Path: 'string' });
  }
}

function pathStat(header: string | readonly string[] | undefined): PathStat {
  if (typeof header !== 'string') {
    throw new EngineUnreachable('protocol', 'the engine did not say what the path is');
  }
  const text = Buffer.from(header, 'base64').toString('utf8');
  return answerOf<PathStat>(text, 'path stat', { name: 'string', mode: 'number' });
}

function pathOf(container: string, verb: string): string {
  return `/containers/${encodeURIComponent(container)}/${verb}`;
}
