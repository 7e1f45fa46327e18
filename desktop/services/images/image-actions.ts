/** What can be done to images and seen in them, in the engine's words and with its errors. */
import type { SkiffTreeNode } from '../../../api/skiff.ts';
import { familiarRepository, parseImageName, withDefaultTag } from '../../../api/image-names.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import type { Layer, TreeFile } from '../../contract/images.ts';
import { DesktopError } from '../../contract/errors.ts';
import { desktopError } from '../failures.ts';

export interface OneImage {
  readonly machine: string;
  /** A name, an id or the beginning of one. */
  readonly image: string;
}

export interface FilesRequest extends OneImage {
  /** Percent-encoded bytes. */
  readonly path: string;
  readonly layer: number | null;
  readonly view: 'merged' | 'layer';
  readonly after: string | null;
}

/** Files that travel at once. */
const pageSize = 1_000;

/** As with containers, no call takes a signal of its caller's: a page that is closed does not undo the click. */
export class ImageActions {
  readonly #client: (machine: string) => EngineClient;

  constructor(client: (machine: string) => EngineClient) {
    this.#client = client;
  }

  async remove({ machine, image, force }: OneImage & { readonly force: boolean }): Promise<void> {
    await this.#ask(machine, (client) => client.images.remove(image, { force }));
  }

  async tag({ machine, image, name }: OneImage & { readonly name: string }): Promise<void> {
    const target = withDefaultTag(nameOf(name));
    if (target.tag === null) throw new DesktopError('invalid-input', 'A name that is given has a tag, not a digest.');
    const { tag } = target;
    await this.#ask(machine, (client) => client.images.tag(image, { repository: familiarRepository(target), tag }));
  }

  layers({ machine, image }: OneImage): Promise<{ wastedBytes: number; layers: Layer[] }> {
    return this.#ask(machine, async (client) => {
      const { wastedBytes, layers } = await client.skiff.layers(image);
      return { wastedBytes, layers: layers.map((layer) => ({ ...layer })) };
    });
  }

  files({
    machine,
    image,
    path,
    layer,
    view,
    after,
  }: FilesRequest): Promise<{ files: TreeFile[]; next: string | null }> {
    return this.#ask(machine, async (client) => {
      const options = { path, view, limit: pageSize, layer: layer ?? undefined, after: after ?? undefined };
      const { node, next } = await client.skiff.tree(image, options);
      return { files: (node.children ?? []).map((child) => fileOf(path, child)), next };
    });
  }

  flatten({ machine, image, name }: OneImage & { readonly name: string }): Promise<{ id: string; savedBytes: number }> {
    return this.#ask(machine, async (client) => {
      const { id, savedBytes } = await client.skiff.flatten(image, [name]);
      return { id, savedBytes };
    });
  }

  async #ask<T>(machine: string, work: (client: EngineClient) => Promise<T>): Promise<T> {
    try {
      return await work(this.#client(machine));
    } catch (error) {
      throw desktopError(error);
    }
  }
}

function nameOf(text: string): ReturnType<typeof parseImageName> {
  try {
    return parseImageName(text);
  } catch (error) {
    throw new DesktopError('invalid-input', error instanceof Error ? error.message : String(error), { cause: error });
  }
}

function fileOf(folder: string, node: SkiffTreeNode): TreeFile {
  const bytes = node.nameBytes === undefined ? Buffer.from(node.name) : Buffer.from(node.nameBytes, 'base64');
  const name = [...bytes].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  return {
    name: node.name,
    path: folder === '' ? name : `${folder}%2f${name}`,
    kind: node.kind,
    totalBytes: node.totalBytes,
    totalFiles: node.totalFiles,
    mode: node.mode,
    userId: node.userId,
    groupId: node.groupId,
    modifiedAt: node.modifiedAt,
    linkTarget: node.linkTarget ?? null,
    layer: node.layer,
    change: node.change,
    hasChangesBelow: node.hasChangesBelow,
  };
}
