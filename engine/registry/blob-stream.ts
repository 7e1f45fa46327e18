/** The bytes of a blob, taken up again where they were cut off. */
import { setTimeout as pause } from 'node:timers/promises';
import { invalid } from '../model/errors.ts';
import { type Patience, waitAfter } from './patience.ts';
import { goMethod, shownUrl, WireError } from './wire-errors.ts';
import type { Answer, Wire } from './wire.ts';

/** An answer that holds a blob from an offset on. */
export interface BlobPart {
  readonly answer: Answer;
  readonly offset: number;
  /** Of the whole blob; null when nobody says. */
  readonly sizeBytes: number | null;
}

/** After this much, a cut counts as a new misfortune and not as another failure of the same try. */
const headwayBytes = 1024 * 1024;

/** Reads status and headers of an answer to a GET with a range from `wanted` on. Throws `invalid` when they contradict each other. */
export function blobPart(answer: Answer, wanted: number): BlobPart {
  const length = answer.headers['content-length'];
  if (answer.status !== 206) return { answer, offset: 0, sizeBytes: length === undefined ? null : Number(length) };
  const match = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(answer.headers['content-range'] ?? '');
  if (match === null || Number(match[1]) !== wanted) {
    answer.body.destroy();
    throw invalid(
      `${shownUrl(answer.url)} was asked for the bytes from ${wanted} on and sends "${answer.headers['content-range'] ?? 'no range'}"`,
    );
  }
  return { answer, offset: wanted, sizeBytes: match[2] === '*' ? null : Number(match[2]) };
}

export interface BlobStreamParts {
  readonly wire: Wire;
  readonly patience: Patience;
  readonly signal: AbortSignal;
  /** Asks again, from this offset on. */
  readonly reopen: (offset: number) => Promise<BlobPart>;
  readonly onWait: (ms: number) => void;
}

export async function* blobBytes(first: BlobPart, parts: BlobStreamParts): AsyncGenerator<Buffer, void, void> {
  const { wire, patience, signal, reopen, onWait } = parts;
  let position = first.offset;
  let failedAt = position;
  let failures = 0;
  for (let part: BlobPart | null = first; ;) {
    try {
      part ??= await reopen(position);
      let unwanted = position - part.offset;
      for await (const chunk of wire.bytes(part.answer, signal)) {
        const fresh = unwanted === 0 ? chunk : chunk.subarray(Math.min(unwanted, chunk.length));
        unwanted -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        position += fresh.length;
        yield fresh;
      }
      const { sizeBytes, answer } = part;
      if (sizeBytes === null || position >= sizeBytes) return;
      throw new WireError('cut', `${goMethod('GET')} "${shownUrl(answer.url)}": unexpected EOF`);
    } catch (error) {
      signal.throwIfAborted();
      failures = position - failedAt >= headwayBytes ? 1 : failures + 1;
      failedAt = position;
      const waitMs = waitAfter(error, failures, patience);
      if (waitMs === null) throw error;
      onWait(waitMs);
      await pause(waitMs, undefined, { signal });
      part = null;
    }
  }
}
