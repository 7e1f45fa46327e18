/**
 * One layer to one repository, by the cheapest way there is: the registry has it, or another repository of it does, or its bytes lie in
 * the content store, or it is packed anew from what is unpacked.
 */
import { createReadStream } from 'node:fs';
import type { Content } from '../content/content.ts';
import type { LayerStore } from '../layers/layer-store.ts';
import type { LayerTar } from '../layers/layer-tars.ts';
import { internal } from '../model/errors.ts';
import type { Digest } from '../model/ids.ts';
import type { BlobSource, Repository } from '../registry/registry.ts';
import type { BlobPlaces } from './blob-places.ts';
import { LayerReport, type Tell } from './layer-report.ts';
import { type Descriptor, mediaTypes } from './manifest.ts';
import type { OutgoingLayer } from './push-plan.ts';
import { Turns } from './turns.ts';

/** Where layers of one push go, and who is told. */
export interface Destination {
  readonly repository: Repository;
  /** `docker.io`: blobs are mounted from repositories of the same registry only. */
  readonly domain: string;
  readonly tell: Tell;
  readonly signal: AbortSignal;
}

const chunkBytes = 256 * 1024;

export class LayerPushes {
  readonly #layers: LayerStore;
  readonly #content: Content;
  readonly #places: BlobPlaces;
  readonly #nowMs: () => number;
  readonly #turns: Turns;
  /** Layers on their way, by registry and content: the same one goes up once, then the others have it mounted. */
  readonly #underWay = new Map<string, Promise<Descriptor | null>>();

  /** `mostUploads`: at a time, of all pushes together. */
  constructor(parts: {
    readonly content: Content;
    readonly layers: LayerStore;
    readonly places: BlobPlaces;
    readonly mostUploads: number;
    readonly nowMs: () => number;
  }) {
    this.#layers = parts.layers;
    this.#content = parts.content;
    this.#places = parts.places;
    this.#nowMs = parts.nowMs;
    this.#turns = new Turns(parts.mostUploads);
  }

  /**
   * All layers are in the repository when it resolves, with the form that each has there, bottom first. When it rejects, nothing of it
   * goes on.
   */
  async send(layers: readonly OutgoingLayer[], to: Destination): Promise<readonly Descriptor[]> {
    const failed = new AbortController();
    const destination = { ...to, signal: AbortSignal.any([to.signal, failed.signal]) };
    // The same content may stand in a stack twice: it is sent once. Docker tells of the topmost first.
    const sending = new Map<Digest, Promise<Descriptor>>();
    const reports = layers.toReversed().map((outgoing) => {
      const { diffId: digest, sizeBytes: totalBytes } = outgoing.layer;
      const report = new LayerReport({ digest, totalBytes, tell: to.tell, nowMs: this.#nowMs });
      report.say('Preparing');
      return { outgoing, report };
    });
    for (const { outgoing, report } of reports) {
      const { diffId } = outgoing.layer;
      if (!sending.has(diffId)) sending.set(diffId, this.#afterOthers(outgoing, report, destination));
    }
    try {
      await Promise.all(sending.values());
      return await Promise.all(layers.map(({ layer }) => sent(sending.get(layer.diffId), layer.diffId)));
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(sending.values());
      throw error;
    }
  }

  /** Whoever sends the same layer to the same registry goes first. Its failure is its own. */
  async #afterOthers(outgoing: OutgoingLayer, report: LayerReport, to: Destination): Promise<Descriptor> {
    const key = `${to.domain} ${outgoing.layer.diffId}`;
    const { diffId } = outgoing.layer;
    const blobs = [...outgoing.blobs];
    for (let other = this.#underWay.get(key); other !== undefined; other = this.#underWay.get(key)) {
      report.say('Waiting');
      const sent = await orAborted(other, to.signal);
      if (sent !== null && !blobs.some(({ digest }) => digest === sent.digest)) blobs.push({ ...sent, diffId });
    }
    const sending = this.#inTurn({ ...outgoing, blobs }, report, to);
    const ended = sending.catch(() => null).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, ended);
    return await sending;
  }

  async #inTurn(outgoing: OutgoingLayer, report: LayerReport, to: Destination): Promise<Descriptor> {
    if (!this.#turns.isFree) report.say('Waiting');
    using _turn = await this.#turns.take(to.signal);
    const there = (await this.#found(outgoing, report, to)) ?? (await this.#mounted(outgoing, report, to));
    if (there !== null) return there;
    const descriptor = (await this.#kept(outgoing, report, to)) ?? (await this.#packed(outgoing, report, to));
    report.say('Pushed');
    this.#places.note([descriptor.digest], to.repository.name);
    return descriptor;
  }

  async #found({ blobs }: OutgoingLayer, report: LayerReport, to: Destination): Promise<Descriptor | null> {
    const { repository, signal } = to;
    for (const blob of blobs) {
      if (await repository.hasBlob(blob.digest, { signal })) {
        report.say('Layer already exists');
        this.#places.note([blob.digest], repository.name);
        return blob;
      }
      this.#places.forget(blob.digest, repository.name);
    }
    return null;
  }

  async #mounted({ blobs }: OutgoingLayer, report: LayerReport, to: Destination): Promise<Descriptor | null> {
    const { repository, domain, signal } = to;
    for (const blob of blobs) {
      const places = this.#places.of(blob.digest).filter((place) => place.startsWith(`${domain}/`));
      for (const place of places) {
        const from = place.slice(domain.length + 1);
        if (!(await repository.mountBlob(blob.digest, from, { signal }))) continue;
        report.say(`Mounted from ${from}`);
        this.#places.note([blob.digest], repository.name);
        return blob;
      }
    }
    return null;
  }

  async #kept({ blobs }: OutgoingLayer, report: LayerReport, to: Destination): Promise<Descriptor | null> {
    const { repository, signal } = to;
    for (const known of blobs) {
      using _hold = this.#content.hold([known.digest]);
      const blob = this.#content.find(known.digest);
      if (blob === null) continue;
      const { digest, sizeBytes } = blob;
      const open = (): BlobSource => ({
        bytes: counted(createReadStream(blob.file, { highWaterMark: chunkBytes }), (bytes) =>
          report.count('Pushing', bytes, sizeBytes),
        ),
        result: () => ({ digest, sizeBytes }),
      });
      await repository.putBlob(open, { signal, onWait: (ms) => report.sayWait(ms) });
      return known;
    }
    return null;
  }

  async #packed({ layer }: OutgoingLayer, report: LayerReport, to: Destination): Promise<Descriptor> {
    const { repository, signal } = to;
    const tars: LayerTar[] = [];
    const open = (): BlobSource => {
      const tar = this.#layers.tarOf(layer.chainId, { packing: { kind: 'gzip', level: gzipLevel }, signal });
      tars.push(tar);
      return { bytes: counted(tar.bytes, (bytes) => report.count('Pushing', bytes)), result: () => tar.result() };
    };
    await repository.putBlob(open, { signal, onWait: (ms) => report.sayWait(ms) });
    const result = tars.at(-1)?.result();
    if (result === undefined) throw internal(`layer ${layer.diffId} was not sent`);
    return { ...result, mediaType: mediaTypes.dockerLayer };
  }
}

/** 56 % of the processor time of level 6, for 5 % more bytes (64 MB of Debian's files). */
const gzipLevel = 4;

async function* counted(
  bytes: AsyncIterable<Buffer>,
  see: (bytes: number) => void,
): AsyncGenerator<Buffer, void, void> {
  let count = 0;
  for await (const chunk of bytes) {
    yield chunk;
    count += chunk.length;
    see(count);
  }
}

async function sent(descriptor: Promise<Descriptor> | undefined, diffId: Digest): Promise<Descriptor> {
  if (descriptor === undefined) throw internal(`layer ${diffId} was not sent`);
  return await descriptor;
}

function orAborted<T>(waited: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  return Promise.race([waited, promise]).finally(() => signal.removeEventListener('abort', onAbort));
}
