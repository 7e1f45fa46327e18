/**
 * An image of one new layer, alone (import) or on top of those of another (commit). The layer's digest is known only when
 * all of it has come: it is unpacked while it comes, from a file that grows and is gone before the layer is complete.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { gathered } from '../content/gathered.ts';
import { Growth } from '../content/growth.ts';
import { chainIds, type Layer, type LayerStore } from '../layers/layer-store.ts';
import { internal, notFound } from '../model/errors.ts';
import { type ChainId, type DiffId, type ImageId, parseDigest } from '../model/ids.ts';
import type { ImageRow } from './image-rows.ts';
import { parseImageConfig } from './image-config.ts';
import type { MakeRequest, PublishedImage, PublishRequest } from './images.ts';
import type { Reference } from './reference.ts';
import { spaceError } from './space-error.ts';

/** Digest of a tar that holds nothing: such a layer changes nothing, and is none. */
const emptyTar = parseDigest('sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef');

export interface Making {
  readonly layers: LayerStore;
  readonly find: (id: ImageId) => ImageRow | null;
  readonly publish: (request: PublishRequest) => Promise<PublishedImage>;
  /** Absolute; may not be there yet. */
  readonly incoming: string;
}

/** See `Images.make`. */
export async function makeImage(parts: Making, request: MakeRequest, name: Reference | null): Promise<PublishedImage> {
  const base = request.base === null ? null : parts.find(request.base);
  if (request.base !== null && base === null) throw notFound(`No such image: ${request.base}`);
  const config = base === null ? {} : (JSON.parse(base.configText) as Readonly<Record<string, unknown>>);
  const below = base === null ? [] : parseImageConfig(Buffer.from(base.configText)).diffIds;
  using _below = parts.layers.hold(chainIds(below));
  await using added = await addLayer(parts, { parent: base?.topLayer ?? null, request });
  const isEmpty = added.layer.diffId === emptyTar;
  const diffIds: readonly DiffId[] = isEmpty ? below : [...below, added.layer.diffId];
  const changed = request.config(config, isEmpty ? 'nothing' : 'a layer');
  const configText = JSON.stringify({ ...changed, rootfs: { type: 'layers', diff_ids: diffIds } });
  return await parts.publish({
    configText,
    names: name === null ? [] : [name],
    isNamedHere: true,
    parent: request.base,
  });
}

interface HeldLayer extends AsyncDisposable {
  readonly layer: Layer;
}

/** The layer, held until it is disposed; then it goes unless an image has it. */
async function addLayer(
  parts: Making,
  { parent, request }: { readonly parent: ChainId | null; readonly request: MakeRequest },
): Promise<HeldLayer> {
  const { layer, signal } = request;
  if (typeof layer !== 'function') return await addArriving(parts, { parent, content: layer, signal });
  try {
    return heldLayer(parts, await parts.layers.addNew({ parent, layer: { write: layer } }, signal));
  } catch (error) {
    await parts.layers.collect();
    throw error;
  }
}

function heldLayer({ layers }: Making, held: Disposable & { readonly layer: Layer }): HeldLayer {
  return {
    layer: held.layer,
    async [Symbol.asyncDispose]() {
      held[Symbol.dispose]();
      await layers.collect();
    },
  };
}

async function addArriving(
  parts: Making,
  what: {
    readonly parent: ChainId | null;
    readonly content: AsyncIterable<Uint8Array>;
    readonly signal: AbortSignal;
  },
): Promise<HeldLayer> {
  const { parent, content } = what;
  mkdirSync(parts.incoming, { recursive: true, mode: 0o700 });
  const file = path.join(parts.incoming, `${randomBytes(8).toString('hex')}.layer`);
  const growth = new Growth(0);
  const ended = new AbortController();
  const signal = AbortSignal.any([what.signal, ended.signal]);
  const source = { file, finalFile: file, sizeBytes: null, growth };
  // There before anybody is told of it: a worker that waits already may open it at once.
  const handle = await open(file, 'wx', 0o600);
  const arriving = arrive(handle, { content, growth, signal });
  // Gone before the layer is written to the disk: nobody needs the file's bytes there.
  const onRead = (): void => rmSync(file, { force: true });
  const adding = parts.layers.addNew({ parent, layer: { source, onRead } }, signal);
  try {
    const [held] = await Promise.all([adding, arriving]);
    return heldLayer(parts, held);
  } catch (error) {
    ended.abort(internal('the image was given up'));
    const [held] = await Promise.allSettled([adding, arriving]);
    if (held.status === 'fulfilled') held.value[Symbol.dispose]();
    await parts.layers.collect();
    throw error;
  } finally {
    rmSync(file, { force: true });
  }
}

async function arrive(
  handle: FileHandle,
  from: { readonly content: AsyncIterable<Uint8Array>; readonly growth: Growth; readonly signal: AbortSignal },
): Promise<void> {
  const { content, growth, signal } = from;
  try {
    await using file = handle;
    let sizeBytes = 0;
    for await (const chunk of gathered(content)) {
      signal.throwIfAborted();
      await file.writeFile(chunk);
      growth.reach((sizeBytes += chunk.length));
    }
    growth.complete();
  } catch (error) {
    const told = spaceError(error, 'to take the layer in');
    growth.fail(told);
    throw told;
  }
}
