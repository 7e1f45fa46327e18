/**
 * All images of all running machines, live. Images change seldom and together (one pull moves names, makes and unmakes
 * rows), so an event makes the whole list be asked for again: one question at a time, and one more for all that came meanwhile.
 */
import type { ImageSummary } from '../../../api/images.ts';
import type { EngineEvent } from '../../../api/events.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineUnreachable } from '../../../client/errors.ts';
import type { Image, ImageKey } from '../../contract/images.ts';
import { LiveList } from '../lists/live-list.ts';

/** Of an image, these leave the list as it is. */
const idleActions = new Set(['push', 'save', 'mount', 'unmount']);

export interface ImageListOptions {
  readonly client: (machine: string) => EngineClient;
  /** Told of a list that could not be read, for a reason other than that its engine is gone. */
  readonly report: (fault: Error) => void;
}

interface Reading {
  /** Something happened since the question under way was asked. */
  isOutdated: boolean;
}

export class ImageList {
  readonly list = new LiveList<Image, ImageKey>({
    keyOf: ({ machine, id }) => ({ machine, id }),
    keyText: ({ machine, id }) => `${machine}/${id}`,
  });
  readonly #options: ImageListOptions;
  readonly #readings = new Map<string, Reading>();

  constructor(options: ImageListOptions) {
    this.#options = options;
  }

  event(machine: string, { Type, Action }: EngineEvent): void {
    if (Type === 'image' ? !idleActions.has(Action) : Type === 'container' && Action === 'commit') this.read(machine);
  }

  /** Asks the machine's engine for its images. */
  read(machine: string): void {
    const underway = this.#readings.get(machine);
    if (underway) {
      underway.isOutdated = true;
      return;
    }
    const reading: Reading = { isOutdated: false };
    this.#readings.set(machine, reading);
    void this.#read(machine, reading);
  }

  /** The machine does not run any more. */
  forget(machine: string): void {
    this.#readings.delete(machine);
    this.list.replace([], (row) => row.machine === machine);
  }

  async #read(machine: string, reading: Reading): Promise<void> {
    const isCurrent = (): boolean => this.#readings.get(machine) === reading;
    try {
      do {
        reading.isOutdated = false;
        const summaries = await this.#options.client(machine).images.list();
        if (!isCurrent()) return;
        this.list.replace(
          summaries.map((summary) => imageOf(machine, summary)),
          (row) => row.machine === machine,
        );
      } while (reading.isOutdated);
    } catch (error) {
      // When the engine is away its line says so, and a new list comes with its return.
      if (isCurrent() && !(error instanceof EngineUnreachable)) {
        this.#options.report(new Error(`the images of ${machine} could not be listed`, { cause: error }));
      }
    } finally {
      if (isCurrent()) this.#readings.delete(machine);
    }
  }
}

/** Docker's way of saying that an image has no name. */
const nameless = /^<none>[:@]/;

function imageOf(machine: string, { Id, RepoTags, RepoDigests, Created, Size }: ImageSummary): Image {
  return {
    machine,
    id: Id,
    names: (RepoTags ?? []).filter((name) => !nameless.test(name)),
    digests: (RepoDigests ?? []).filter((name) => !nameless.test(name)),
    createdAt: Created > 0 ? Created * 1000 : null,
    sizeBytes: Size,
  };
}
