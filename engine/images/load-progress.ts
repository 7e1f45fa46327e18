import type { ProgressMessage } from '../../api/images.ts';
import type { DiffId } from '../model/ids.ts';

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
    progress: `${bar(readBytes, totalBytes)} ${size(readBytes).padStart(8)}/${size(totalBytes)}`,
    id: diffId.slice(7, 19),
  };
}

const barWidth = 50;

function bar(current: number, total: number): string {
  const filled = total === 0 ? barWidth : Math.min(barWidth, Math.floor((current / total) * barWidth));
  return `[${'='.repeat(filled)}>${' '.repeat(Math.max(0, barWidth - filled))}]`;
}

/** Four digits, decimal units, right-aligned: docker's. */
function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${Number(value.toPrecision(4))}${units[unit]}`;
}
