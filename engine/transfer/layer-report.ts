import type { ProgressMessage } from '../../api/images.ts';
import { progressBar } from '../images/progress-bar.ts';
import { type Digest, hexOf } from '../model/ids.ts';
import type { DownloadListener, DownloadState } from './downloads.ts';

/** So often a count is told, at most: terminals draw no faster, and each message costs every client. */
const stepMs = 100;

export type Tell = (message: ProgressMessage) => void;

/** What docker's clients are told of one layer on its way in or out, in docker's words. */
export class LayerReport {
  readonly #id: string;
  readonly #totalBytes: number;
  readonly #tell: Tell;
  readonly #nowMs: () => number;
  #countedAtMs = Number.NEGATIVE_INFINITY;
  /** Unpacking follows the download, and may be through before the last of it is on the disk: it is shown after it. */
  #isDownloaded = false;
  #unpackedBytes = 0;
  #isAdded = false;

  constructor(parts: {
    readonly digest: Digest;
    readonly totalBytes: number;
    readonly tell: Tell;
    readonly nowMs: () => number;
  }) {
    this.#id = hexOf(parts.digest).slice(0, 12);
    this.#totalBytes = parts.totalBytes;
    this.#tell = parts.tell;
    this.#nowMs = parts.nowMs;
  }

  /** A state: `Pulling fs layer`, `Pull complete`, `Layer already exists`. */
  say(status: string): void {
    this.#countedAtMs = Number.NEGATIVE_INFINITY;
    this.#tell({ status, progressDetail: {}, id: this.#id });
  }

  /** Before a step is tried again. */
  sayWait(ms: number): void {
    const seconds = Math.max(1, Math.round(ms / 1000));
    this.say(`Retrying in ${seconds} second${seconds === 1 ? '' : 's'}`);
  }

  /** For a download. */
  get listener(): DownloadListener {
    return {
      onState: (state) => this.#onState(state),
      onProgress: (bytes) => this.count('Downloading', bytes),
      onWait: (ms) => this.sayWait(ms),
    };
  }

  onUnpack(readBytes: number): void {
    this.#unpackedBytes = readBytes;
    if (this.#isDownloaded) this.count('Extracting', readBytes);
  }

  /** The layer is in the store. */
  onAdded(): void {
    this.#isAdded = true;
    if (this.#isDownloaded) this.say('Pull complete');
  }

  /** `Downloading`, `Extracting`, `Pushing`: at most ten times a second, and always at the end. */
  count(status: string, current: number, totalBytes = this.#totalBytes): void {
    const now = this.#nowMs();
    if (now - this.#countedAtMs < stepMs && current < totalBytes) return;
    this.#countedAtMs = now;
    this.#tell({
      status,
      progressDetail: { current, total: totalBytes },
      progress: progressBar(current, totalBytes),
      id: this.#id,
    });
  }

  #onState(state: DownloadState): void {
    switch (state) {
      case 'queued':
      case 'downloading':
        return;
      case 'waiting':
        return this.say('Waiting');
      case 'verifying':
        return this.say('Verifying Checksum');
      case 'complete':
        this.#isDownloaded = true;
        this.say('Download complete');
        if (this.#unpackedBytes > 0) this.count('Extracting', this.#unpackedBytes);
        return this.#isAdded ? this.onAdded() : undefined;
    }
  }
}
