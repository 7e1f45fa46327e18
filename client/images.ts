import type { Readable } from 'node:stream';
import type {
  HistoryItem,
  ImageInspect,
  ImageRemoval,
  ImageSummary,
  ImagesPruned,
  ProgressMessage,
} from '../api/images.ts';
import { answerOf, listOf } from './answers.ts';
import type { TarDownload } from './files.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import type { JsonStream } from './json-stream.ts';
import { progressOf, silenceMs } from './progress.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

export interface ImportOptions {
  readonly repo?: string;
  readonly tag?: string;
  /** Stands in the history of the image. */
  readonly message?: string;
  /** Instructions of a Dockerfile. */
  readonly changes?: readonly string[];
  /** `os/arch/variant`. */
  readonly platform?: string;
}

/** As the API takes it in queries: `{"os":"linux","architecture":"arm64"}`. */
export interface Platform {
  readonly os: string;
  readonly architecture?: string;
  readonly variant?: string;
}

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
    return answerOf<ImageInspect>(await this.inspectText(name, {}, call), 'inspect image', { Id: 'string' });
  }

  /** The answer of `inspect` as the engine wrote it. */
  async inspectText(
    name: string,
    options: { readonly platform?: Platform | undefined } = {},
    call: CallOptions = {},
  ): Promise<string> {
    const query = { platform: options.platform };
    return (await this.#session.call({ method: 'GET', path: `${pathOf(name)}/json`, query, ...call })).text;
  }

  /** Newest step first. */
  async history(
    name: string,
    options: { readonly platform?: Platform | undefined } = {},
    call: CallOptions = {},
  ): Promise<readonly HistoryItem[]> {
    const query = { platform: options.platform };
    const { text } = await this.#session.call({ method: 'GET', path: `${pathOf(name)}/history`, query, ...call });
    return listOf<HistoryItem>(text, 'history', { Id: 'string', Size: 'number' });
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
    options: { readonly force?: boolean; readonly noPrune?: boolean; readonly platforms?: readonly Platform[] } = {},
    call: CallOptions = {},
  ): Promise<readonly ImageRemoval[]> {
    const query = {
      force: options.force || undefined,
      noprune: options.noPrune || undefined,
      platforms: options.platforms?.map((platform) => JSON.stringify(platform)),
    };
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
    const spec = { method: 'POST', path: '/commit', query, json: {}, timeoutMs: silenceMs } as const;
    const { text } = await this.#session.call({ ...spec, ...call });
    return answerOf<{ readonly Id: string }>(text, 'commit', { Id: 'string' }).Id;
  }

  /**
   * Loads the images of a tar archive (docker save's or OCI layout, also compressed). Resolves when the engine answers;
   * iterating gives the progress, ends when all is loaded and throws ReportedError where the engine reports an error.
   */
  async load(
    archive: Readable,
    options: { readonly quiet?: boolean; readonly platform?: Platform | undefined } = {},
    call: CallOptions = {},
  ): Promise<JsonStream<ProgressMessage>> {
    const query = { quiet: options.quiet ?? false, platform: options.platform };
    const spec = { method: 'POST', path: '/images/load', query, upload: archive, timeoutMs: silenceMs } as const;
    return progressOf(await this.#session.stream({ ...spec, ...call }));
  }

  /** Images, with all that they are made of, as one tar archive that `load` takes. Throws EngineError 404. */
  async save(
    names: readonly string[],
    options: { readonly platform?: Platform | undefined } = {},
    call: CallOptions = {},
  ): Promise<TarDownload> {
    const query = { names, platform: options.platform };
    const spec = { method: 'GET', path: '/images/get', query, timeoutMs: silenceMs } as const;
    const { body } = await this.#session.stream({ ...spec, ...call });
    return { tar: body };
  }

  /**
   * Makes an image of one filesystem: of the tar archive that is sent, or of one that the engine fetches from a URL. The last
   * status of the progress is the id.
   */
  async import(
    source: Readable | URL,
    options: ImportOptions = {},
    call: CallOptions = {},
  ): Promise<JsonStream<ProgressMessage>> {
    const isUrl = source instanceof URL;
    const query = { fromSrc: isUrl ? source.href : '-', ...options };
    const spec = { method: 'POST', path: '/images/create', query, timeoutMs: silenceMs } as const;
    return progressOf(await this.#session.stream({ ...spec, ...(isUrl ? {} : { upload: source }), ...call }));
  }
}

/** Slashes of a reference are part of the path, as Docker's clients send them. */
function pathOf(name: string): string {
  return `/images/${name.split('/').map(encodeURIComponent).join('/')}`;
}
