import type { Readable } from 'node:stream';
import type { ImageInspect, ImageRemoval, ImageSummary, ImagesPruned, ProgressMessage } from '../api/images.ts';
import { answerOf, listOf, shapeOf } from './answers.ts';
import { EngineError } from './errors.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import { jsonStream } from './json-stream.ts';
import type { JsonStream } from './json-stream.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

/** Silence after which a load counts as hung: unpacking a large layer on a slow disk says nothing for minutes. */
const loadSilenceMs = 10 * 60_000;

export interface CommitOptions {
  readonly repo?: string;
  readonly tag?: string;
  readonly author?: string;
  readonly comment?: string;
  /** The container does not run while its filesystem is read. */
  readonly pause?: boolean;
  /** Instructions of a Dockerfile. */
  readonly changes?: readonly string[];
}

/** Images of one engine. */
export class ImagesClient {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async list(
    options: { readonly all?: boolean; readonly filters?: Filters } = {},
    call: CallOptions = {},
  ): Promise<readonly ImageSummary[]> {
    const query = { all: options.all, filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'GET', path: '/images/json', query, ...call });
    return listOf<ImageSummary>(text, 'images', { Id: 'string', Size: 'number' });
  }

  /** `name` is an id, a beginning of one, or a reference (`hello`, `hello:latest`). Throws EngineError 404. */
  async inspect(name: string, call: CallOptions = {}): Promise<ImageInspect> {
    return answerOf<ImageInspect>(await this.inspectText(name, call), 'inspect image', { Id: 'string' });
  }

  /** The answer of `inspect` as the engine wrote it. */
  async inspectText(name: string, call: CallOptions = {}): Promise<string> {
    return (await this.#session.call({ method: 'GET', path: `${pathOf(name)}/json`, ...call })).text;
  }

  /** Gives an image one more name. */
  async tag(
    name: string,
    target: { readonly repository: string; readonly tag: string },
    call: CallOptions = {},
  ): Promise<void> {
    const query = { repo: target.repository, tag: target.tag };
    await this.#session.call({ method: 'POST', path: `${pathOf(name)}/tag`, query, ...call });
  }

  /** Removes a name, and the image with its last one. Throws EngineError 409 when a container needs it. */
  async remove(
    name: string,
    options: { readonly force?: boolean; readonly noPrune?: boolean } = {},
    call: CallOptions = {},
  ): Promise<readonly ImageRemoval[]> {
    const query = { force: options.force || undefined, noprune: options.noPrune || undefined };
    const { text } = await this.#session.call({ method: 'DELETE', path: pathOf(name), query, ...call });
    return listOf<ImageRemoval>(text, 'remove image', {});
  }

  /** Removes what no container uses: images without a name; with the filter `dangling=false` all of them. */
  async prune(options: { readonly filters?: Filters } = {}, call: CallOptions = {}): Promise<ImagesPruned> {
    const query = { filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'POST', path: '/images/prune', query, ...call });
    return answerOf<ImagesPruned>(text, 'prune images', { SpaceReclaimed: 'number' });
  }

  /** Makes an image of what a container's filesystem holds. Gives its id. */
  async commit(container: string, options: CommitOptions, call: CallOptions = {}): Promise<string> {
    const query = { container, ...options };
    const spec = { method: 'POST', path: '/commit', query, json: {}, timeoutMs: loadSilenceMs } as const;
    const { text } = await this.#session.call({ ...spec, ...call });
    return answerOf<{ readonly Id: string }>(text, 'commit', { Id: 'string' }).Id;
  }

  /**
   * Loads the images of a tar archive (docker save's or OCI layout, also compressed). Resolves when the engine answers;
   * iterating gives the progress, ends when all is loaded and throws EngineError where the engine reports an error.
   */
  async load(
    archive: Readable,
    options: { readonly quiet?: boolean } = {},
    call: CallOptions = {},
  ): Promise<JsonStream<ProgressMessage>> {
    const query = { quiet: options.quiet ?? false };
    const spec = { method: 'POST', path: '/images/load', query, upload: archive, timeoutMs: loadSilenceMs } as const;
    return jsonStream(await this.#session.stream({ ...spec, ...call }), (value) => {
      const message = shapeOf<ProgressMessage>(value, 'load', {});
      if (message.error !== undefined) throw new EngineError(500, message.errorDetail?.message ?? message.error);
      return message;
    });
  }
}

/** Slashes of a reference are part of the path, as Docker's clients send them. */
function pathOf(name: string): string {
  return `/images/${name.split('/').map(encodeURIComponent).join('/')}`;
}
