/**
 * Fetches a ready machine image: a manifest whose digest the caller knows, and beside it the files that it names, each
 * checked against the digest in the manifest. A download that was cut off goes on where it stopped (RFC 9110, section
 * 14.2 Range), if the server can; what fails its check is thrown away.
 */
import { createHash } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../machines.ts';
import { type Operation, runStep } from '../progress.ts';
import { writeFileAtomic } from '../store/atomic-file.ts';
import { type ImageFile, imageFiles, type Manifest, manifestSchema } from './manifest.ts';
import { sha256OfFile } from './node-runtime.ts';

export interface ReleasedImage {
  /** Of the manifest; its files lie beside it under their names. */
  readonly url: string;
  /** SHA-256 of the manifest, hex. */
  readonly sha256: string;
}

/** How long a server may stay silent. */
const silenceMs = 60_000;
/** A manifest is a few KiB; more is not one. */
const manifestLimitBytes = 1024 * 1024;

/** Fetches manifest and files into `folder`, which may hold parts of an earlier try. Whole and checked when it resolves. */
export async function downloadImage(
  { release, folder }: { release: ReleasedImage; folder: string },
  operation: Operation,
): Promise<Manifest> {
  return runStep({ step: 'image-download', title: 'Downloading the machine image', operation }, async (tell) => {
    const { signal } = operation;
    const { text, manifest } = await fetchManifest({ release, signal });
    const totalBytes = imageFiles.reduce((sum, name) => sum + manifest.files[name].sizeBytes, 0);
    let doneBytes = 0;
    for (const name of imageFiles) {
      const before = doneBytes;
      const onProgress = (fileBytes: number): void => {
        doneBytes = before + fileBytes;
        tell({
          fraction: doneBytes / totalBytes,
          detail: `${toMegabytes(doneBytes)} of ${toMegabytes(totalBytes)} MB`,
        });
      };
      await fetchFile({
        url: new URL(name, release.url).href,
        path: join(folder, name),
        name,
        wanted: manifest.files[name],
        signal,
        onProgress,
      });
      onProgress(manifest.files[name].sizeBytes);
    }
    await writeFileAtomic(join(folder, 'manifest.json'), text);
    return manifest;
  });
}

async function fetchManifest({
  release,
  signal,
}: {
  release: ReleasedImage;
  signal: AbortSignal;
}): Promise<{ text: string; manifest: Manifest }> {
  const chunks: Buffer[] = [];
  let sizeBytes = 0;
  await request({ url: release.url, offset: 0, signal }, async (_response, body) => {
    for await (const chunk of body) {
      sizeBytes += chunk.length;
      if (sizeBytes > manifestLimitBytes)
        throw new MachineError(
          'image-corrupt',
          `What lies at ${release.url} is too large for a manifest of a machine image.`,
        );
      chunks.push(Buffer.from(chunk));
    }
  });
  const content = Buffer.concat(chunks);
  const found = createHash('sha256').update(content).digest('hex');
  if (found !== release.sha256) {
    throw new MachineError(
      'image-corrupt',
      `The manifest at ${release.url} has the digest ${found} instead of ${release.sha256}. Nothing was kept.`,
    );
  }
  const parsed = manifestSchema.safeParse(JSON.parse(content.toString()));
  if (!parsed.success)
    throw new MachineError('image-corrupt', `The manifest at ${release.url} is none that this version of Skiff reads.`);
  return { text: content.toString(), manifest: parsed.data };
}

interface FileDownload {
  readonly url: string;
  readonly path: string;
  readonly name: ImageFile;
  readonly wanted: { readonly sha256: string; readonly sizeBytes: number };
  readonly signal: AbortSignal;
  readonly onProgress: (fileBytes: number) => void;
}

async function fetchFile(download: FileDownload): Promise<void> {
  const { url, path, name, wanted, signal } = download;
  if ((await sizeOf(path)) === wanted.sizeBytes && (await sha256OfFile(path)) === wanted.sha256) return;
  const part = `${path}.part`;
  const partBytes = (await sizeOf(part)) ?? 0;
  if (partBytes > wanted.sizeBytes) await rm(part);
  const offset = partBytes > wanted.sizeBytes ? 0 : partBytes;
  if (offset < wanted.sizeBytes) {
    await request({ url, offset, signal }, (response, body) =>
      writePart({ ...download, part, offset: response.status === 206 ? offset : 0, body }),
    );
  }
  const found = await sha256OfFile(part);
  if (found !== wanted.sha256) {
    await rm(part);
    throw new MachineError(
      'image-corrupt',
      `${name} from ${url} has the digest ${found} instead of ${wanted.sha256}. It was thrown away.`,
    );
  }
  await rename(part, path);
}

/** Appends to the part (or begins it anew, when the server sends the file from its beginning); what came stays if it breaks off. */
async function writePart(
  options: FileDownload & { part: string; offset: number; body: AsyncIterable<Uint8Array> },
): Promise<void> {
  const { part, wanted, url, name, onProgress, body } = options;
  await using file = await open(part, options.offset === 0 ? 'w' : 'r+');
  let at = options.offset;
  for await (const chunk of body) {
    if (at + chunk.length > wanted.sizeBytes) {
      throw new MachineError(
        'image-corrupt',
        `${name} from ${url} is longer than the ${wanted.sizeBytes} bytes that its manifest names.`,
      );
    }
    await file.write(chunk, 0, chunk.length, at);
    at += chunk.length;
    onProgress(at);
  }
  await file.sync();
  if (at < wanted.sizeBytes) {
    throw new MachineError(
      'image-unavailable',
      `The download of ${name} from ${url} broke off at ${at} of ${wanted.sizeBytes} bytes. Try again: it goes on from there.`,
    );
  }
}

/** One GET whose silence is bounded, however long it takes as a whole. */
async function request(
  { url, offset, signal }: { url: string; offset: number; signal: AbortSignal },
  read: (response: Response, body: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const silence = new AbortController();
  const timer = setTimeout(
    () => silence.abort(new MachineError('timeout', `${url} has sent nothing for ${silenceMs / 1000} s.`)),
    silenceMs,
  );
  try {
    const response = await fetch(url, {
      headers: offset === 0 ? {} : { range: `bytes=${offset}-` },
      signal: AbortSignal.any([signal, silence.signal]),
    });
    const { body } = response;
    if (!response.ok || body === null) {
      await body?.cancel();
      throw new MachineError(
        'image-unavailable',
        `${url} answered ${response.status} ${response.statusText}`.trimEnd() + '.',
      );
    }
    await read(
      response,
      withEachChunk(body, () => timer.refresh()),
    );
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    if (silence.signal.aborted) throw silence.signal.reason;
    if (error instanceof MachineError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new MachineError('image-unavailable', `The machine image cannot be fetched from ${url}: ${cause}`, {
      cause: error,
    });
  } finally {
    clearTimeout(timer);
  }
}

async function* withEachChunk(body: AsyncIterable<Uint8Array>, onChunk: () => void): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    onChunk();
    yield chunk;
  }
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

function toMegabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}
