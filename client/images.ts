import type { Readable } from 'node:stream';
import type { ImageInspect, ImageSummary, ProgressMessage } from '../api/images.ts';
import { answerOf, listOf, shapeOf } from './answers.ts';
import type { Filters } from './containers.ts';
import { EngineError } from './errors.ts';
import { jsonStream } from './json-stream.ts';
import type { JsonStream } from './json-stream.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

/** Silence after which a load counts as hung: unpacking a large layer on a slow disk says nothing for minutes. */
const loadSilenceMs = 10 * 60_000;

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
    const hasFilters = options.filters && Object.keys(options.filters).length > 0;
    const query = { all: options.all, filters: hasFilters ? options.filters : undefined };
    const { text } = await this.#session.call({ method: 'GET', path: '/images/json', query, ...call });
    return listOf<ImageSummary>(text, 'images', { Id: 'string', Size: 'number' });
  }

  /** `name` is an id, a beginning of one, or a reference (`hello`, `hello:latest`). Throws EngineError 404. */
  async inspect(name: string, call: CallOptions = {}): Promise<ImageInspect> {
    // Slashes of a reference are part of the path, as Docker's clients send them.
    const path = `/images/${name.split('/').map(encodeURIComponent).join('/')}/json`;
    const { text } = await this.#session.call({ method: 'GET', path, ...call });
    return answerOf<ImageInspect>(text, 'inspect image', { Id: 'string' });
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
