import type { ProgressMessage } from '../../api/images.ts';
import type { DiffId } from '../model/ids.ts';
import { progressBar } from './progress-bar.ts';

export interface LayerProgress {
  readonly diffId: DiffId;
  readonly readBytes: number;
  readonly totalBytes: number;
}

/**
 * Progress that is reported while someone else works, read one by one. Of each layer only the newest that was not read
 * yet is kept: a slow reader misses steps, never the end, and memory does not grow.
 */
export class ProgressQueue {
  readonly #latest = new Map<DiffId, LayerProgress>();
  #isEnded = false;
  #wake: () => void = () => undefined;

  put(progress: LayerProgress): void {
    this.#latest.set(progress.diffId, progress);
    this.#wake();
  }

  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Ends after `end`, once everything was read. */
  async *read(): AsyncGenerator<LayerProgress, void, void> {
    for (;;) {
      const [next] = this.#latest.values();
      if (next !== undefined) {
        this.#latest.delete(next.diffId);
        yield next;
      } else if (this.#isEnded) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

/** Docker's message for a layer on its way, with the bar that older clients print as it is. */
export function layerMessage({ diffId, readBytes, totalBytes }: LayerProgress): ProgressMessage {
  return {
    status: 'Loading layer',
    progressDetail: { current: readBytes, total: totalBytes },
    progress: progressBar(readBytes, totalBytes),
    id: diffId.slice(7, 19),
  };
}
