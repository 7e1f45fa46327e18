import { createHash, type Hash } from 'node:crypto';
import { constants, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { isCode } from '../kernel/files.ts';
import { internal, invalid } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { Blob, Ingest } from './content.ts';
import { Growth } from './growth.ts';

const readBytes = 1024 * 1024;

/** What an ingest needs of its store. */
export interface IngestRequest {
  readonly digest: Digest;
  readonly sizeBytes: number | null;
  readonly file: string;
  readonly finalFile: string;
  /** Makes room on a full disk; returns the bytes. */
  readonly spare: () => Promise<number>;
  /** The file is complete and right: gives it its place and its row. */
  readonly publish: (sizeBytes: number) => Promise<Blob>;
  readonly onEnd: () => void;
  readonly signal: AbortSignal;
}

/** One blob that is being written. Hashed as it comes; what an earlier try left is read and hashed first. */
export class IngestFile implements Ingest {
  readonly growth = new Growth(0);
  readonly #request: IngestRequest;
  readonly #handle: FileHandle;
  #hash: Hash = createHash('sha256');
  #offset = 0;

  private constructor(request: IngestRequest, handle: FileHandle) {
    this.#request = request;
    this.#handle = handle;
  }

  static async open(request: IngestRequest): Promise<IngestFile> {
    const handle = await open(request.file, constants.O_RDWR | constants.O_CREAT, 0o600);
    const ingest = new IngestFile(request, handle);
    try {
      await ingest.#takeUp();
      return ingest;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get file(): string {
    return this.#request.file;
  }

  get finalFile(): string {
    return this.#request.finalFile;
  }

  get sizeBytes(): number | null {
    return this.#request.sizeBytes;
  }

  get offset(): number {
    return this.#offset;
  }

  async write(chunk: Uint8Array): Promise<void> {
    const { digest, sizeBytes } = this.#request;
    if (sizeBytes !== null && this.#offset + chunk.length > sizeBytes) {
      throw await this.#broken(`blob ${digest} has more than the ${sizeBytes} bytes that its manifest tells`);
    }
    for (let done = 0; done < chunk.length;) {
      try {
        const { bytesWritten } = await this.#handle.write(chunk, done, chunk.length - done, this.#offset + done);
        done += bytesWritten;
      } catch (error) {
        if (!isCode(error, 'ENOSPC', 'EDQUOT') || (await this.#request.spare()) === 0) throw await this.#failed(error);
      }
    }
    this.#hash.update(chunk);
    this.#offset += chunk.length;
    this.growth.reach(this.#offset);
  }

  async commit(): Promise<Blob> {
    const { digest, sizeBytes } = this.#request;
    if (sizeBytes !== null && this.#offset !== sizeBytes) {
      throw await this.#broken(
        `blob ${digest} has ${this.#offset} bytes, its manifest tells ${sizeBytes}: it was cut short`,
      );
    }
    const found = `sha256:${this.#hash.copy().digest('hex')}`;
    if (found !== digest)
      throw await this.#broken(`blob ${digest} came with the wrong content: its digest is ${found}`);
    try {
      // A shorter one may have come in the place of a longer one that was broken.
      await this.#handle.truncate(this.#offset);
    } catch (error) {
      throw await this.#failed(error);
    }
    const blob = await this.#request.publish(this.#offset);
    this.growth.complete();
    return blob;
  }

  restart(): Promise<void> {
    // The bytes stay until they are written over.
    this.#hash = createHash('sha256');
    this.#offset = 0;
    this.growth.reach(0);
    return Promise.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.growth.fail(internal(`the download of ${this.#request.digest} was given up`));
    await this.#handle.close();
    if (this.#offset === 0) rmSync(this.#request.file, { force: true });
    this.#request.onEnd();
  }

  async #takeUp(): Promise<void> {
    const { size } = await this.#handle.stat();
    if (this.#request.sizeBytes !== null && size > this.#request.sizeBytes) return;
    const buffer = Buffer.allocUnsafeSlow(Math.min(readBytes, size));
    while (this.#offset < size) {
      this.#request.signal.throwIfAborted();
      const { bytesRead } = await this.#handle.read(buffer, 0, buffer.length, this.#offset);
      if (bytesRead === 0) break;
      this.#hash.update(buffer.subarray(0, bytesRead));
      this.#offset += bytesRead;
    }
    this.growth.reach(this.#offset);
  }

  /** The bytes are wrong: a next try must not build on them. */
  async #broken(message: string): Promise<Error> {
    const error = invalid(message);
    await this.#forget(error);
    return error;
  }

  async #failed(cause: unknown): Promise<Error> {
    const { digest } = this.#request;
    const isFull = isCode(cause, 'ENOSPC', 'EDQUOT');
    const reason = isFull ? 'no space left on device' : cause instanceof Error ? cause.message : String(cause);
    const error = internal(`failed to write blob ${digest}: ${reason}`, { cause });
    if (isFull) await this.#forget(error);
    return error;
  }

  async #forget(error: Error): Promise<void> {
    this.growth.fail(error);
    await this.#handle.truncate(0);
    await this.restart();
  }
}

/** The ingest of a blob that is there already. */
export function completeIngest(blob: Blob, onEnd: () => void): Ingest {
  const growth = new Growth(blob.sizeBytes);
  growth.complete();
  const refuse = (): Promise<never> => Promise.reject(internal(`blob ${blob.digest} is complete: nothing is written`));
  return {
    file: blob.file,
    finalFile: blob.file,
    sizeBytes: blob.sizeBytes,
    offset: blob.sizeBytes,
    growth,
    write: refuse,
    restart: refuse,
    commit: () => Promise.resolve(blob),
    [Symbol.asyncDispose]: () => {
      onEnd();
      return Promise.resolve();
    },
  };
}
