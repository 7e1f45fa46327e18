/**
 * A tar becomes a layer's folder and its recipe, in one pass. File calls are synchronous: this is for processes of their own, the
 * unpack program for tars that come in, and the tree program for what a container has changed.
 */
import { createHash } from 'node:crypto';
import { constants, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { TarError } from '../../api/tar/entry.ts';
import { TarReader } from '../../api/tar/reader.ts';
import { heldDirectory, openAt } from '../kernel/files.ts';
import { removeTreeSync } from '../kernel/remove-tree.ts';
import { type DiffId, parseDigest } from '../model/ids.ts';
import { isLittleWork } from './apply/late-work.ts';
import { madeDirectoryMode } from './apply/layer-folder.ts';
import { LayerWriter } from './apply/layer-writer.ts';
import { lateWorkFile } from './layer.ts';
import { Recorder } from './recipe/recorder.ts';
import { RecipeWriter } from './recipe/recipe-file.ts';
import type { LayerTarget, Unpacked } from './unpack-protocol.ts';

type Tar = Iterable<Buffer> | AsyncIterable<Buffer>;

export interface WrittenTar {
  /** The tar, uncompressed, from its beginning; called again when the recipe must have all of it. */
  read(): Tar;
  /** Behind the last byte: throws when it is not what was announced. */
  verify(diffId: DiffId): void;
}

/** Neither is on the disk yet when this resolves. Nothing is left of both when it rejects, with a TarError when the tar is to blame. */
export async function writeLayer({ folder, recipe }: LayerTarget, tar: WrittenTar): Promise<Unpacked> {
  using parent = heldDirectory(openSync(path.dirname(folder), constants.O_DIRECTORY));
  const name = path.basename(folder);
  try {
    mkdirSync(folder, { mode: madeDirectoryMode });
    using root = heldDirectory(openAt(parent.fd, name, constants.O_DIRECTORY));
    using writer = new LayerWriter(root.fd);
    const read = await writeBoth(recipe, tar, writer);
    const work = writer.finish();
    const isLittle = isLittleWork(work);
    if (!isLittle) writeFileSync(lateWorkFile(folder), JSON.stringify(work), { mode: 0o600 });
    return { ...read, sizeBytes: writer.sizeBytes, work: isLittle ? work : 'much' };
  } catch (error) {
    removeTreeSync(parent.fd, name);
    rmSync(recipe, { force: true });
    throw error;
  }
}

type Read = Pick<Unpacked, 'diffId' | 'tarBytes'>;

async function writeBoth(
  file: string,
  tar: WrittenTar,
  writer: LayerWriter,
): Promise<Read & Pick<Unpacked, 'recipeBytes'>> {
  let read: Read;
  {
    using recipe = new RecipeWriter(file);
    read = await write(tar, writer, recipe);
    if (!writer.hasReplaced) return { ...read, recipeBytes: recipe.sizeBytes };
  }
  // What was replaced is nowhere but in the tar: the recipe of such a layer, a rare one, leaves nothing out.
  rmSync(file);
  using recipe = new RecipeWriter(file);
  const hash = createHash('sha256');
  for await (const chunk of tar.read()) {
    hash.update(chunk);
    recipe.keep(chunk);
  }
  recipe.end();
  if (parseDigest(`sha256:${hash.digest('hex')}`) !== read.diffId) {
    throw new TarError('the layer was changed while it was read');
  }
  return { ...read, recipeBytes: recipe.sizeBytes };
}

async function write(tar: WrittenTar, writer: LayerWriter, recipe: RecipeWriter): Promise<Read> {
  let tarBytes = 0;
  const reader = new TarReader();
  const recorder = new Recorder(recipe);
  const hash = createHash('sha256');
  for await (const chunk of tar.read()) {
    hash.update(chunk);
    tarBytes += chunk.length;
    recorder.begin(chunk);
    for (const event of reader.push(chunk)) {
      writer.take(event);
      if (event.kind === 'data' && writer.isStoring) recorder.stored(event.position, event.bytes.length);
    }
    recorder.end();
  }
  for (const event of reader.end()) writer.take(event);
  recipe.end();
  const diffId = parseDigest(`sha256:${hash.digest('hex')}`);
  tar.verify(diffId);
  return { diffId, tarBytes };
}
