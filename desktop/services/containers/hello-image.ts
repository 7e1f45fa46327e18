/** The image that comes with Skiff: brought into an engine that does not have it, once, however many ask at the same time. */
import { Readable } from 'node:stream';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineError } from '../../../client/errors.ts';
import type { Tasks } from '../tasks.ts';

export interface HelloImage {
  readonly reference: string;
  /** Its archive, for engines that do not bring it along; null where there is none. */
  readonly open: (() => Promise<{ readonly stream: Readable; readonly sizeBytes: number }>) | null;
}

export class HelloImages {
  readonly #image: HelloImage;
  readonly #tasks: Tasks;
  readonly #loading = new Map<string, Promise<void>>();

  constructor(image: HelloImage, tasks: Tasks) {
    this.#image = image;
    this.#tasks = tasks;
  }

  /** The reference to run. Throws the engine's `No such image` when it is not there and no archive is either. */
  async ensure(machine: string, client: EngineClient): Promise<string> {
    const { reference } = this.#image;
    try {
      await client.images.inspect(reference);
    } catch (error) {
      const isMissing = error instanceof EngineError && error.statusCode === 404;
      if (!isMissing || this.#image.open === null) throw error;
      await this.#loadOnce(machine, client, this.#image.open);
    }
    return reference;
  }

  #loadOnce(machine: string, client: EngineClient, open: NonNullable<HelloImage['open']>): Promise<void> {
    const underway = this.#loading.get(machine);
    if (underway) return underway;
    const title = `Loading the image ${this.#image.reference}`;
    const loading = this.#tasks
      .run({ title, machine }, async (tell) => {
        const { stream, sizeBytes } = await open();
        const sent = counted(stream, (bytes) => tell({ fraction: Math.min(1, bytes / Math.max(1, sizeBytes)) }));
        for await (const { status } of await client.images.load(Readable.from(sent))) tell({ detail: status ?? null });
      })
      .finally(() => this.#loading.delete(machine));
    this.#loading.set(machine, loading);
    return loading;
  }
}

/** The same stream, telling how much of it has been read so far. */
async function* counted(stream: AsyncIterable<Buffer>, tell: (bytes: number) => void): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of stream) {
    yield chunk;
    bytes += chunk.byteLength;
    tell(bytes);
  }
}
