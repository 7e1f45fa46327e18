import type { Duplex, Readable } from 'node:stream';
import type { ShareList } from '../api/shares/shares.ts';
import type {
  SkiffComparison,
  SkiffDisk,
  SkiffImageLayers,
  SkiffReclaimable,
  SkiffReclaimed,
  SkiffSquashed,
  SkiffTree,
  SkiffWaste,
} from '../api/skiff.ts';
import { answerOf } from './answers.ts';
import { silenceMs } from './progress.ts';
import { SnapshotsClient } from './snapshots.ts';
import type { CallOptions, Transport } from './transport.ts';

export interface TreeOptions {
  /** Percent-encoded bytes; absent: the root. */
  readonly path?: string;
  /** Index of a layer; absent: the last. */
  readonly layer?: number | undefined;
  /** `merged` (default): as a container sees it after that layer; `layer`: what that layer brings. */
  readonly view?: 'merged' | 'layer';
  /** Folders that are opened below; default 1: the children of the path. */
  readonly depth?: number;
  readonly sort?: 'name' | 'size' | 'modified';
  /** `next` of the page before. */
  readonly after?: string | undefined;
  readonly limit?: number;
}

/** What Skiff's engine offers besides Docker's API, below `/skiff/v1/`. Other engines answer EngineError 404. */
export class SkiffClient {
  readonly snapshots: SnapshotsClient;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    this.snapshots = new SnapshotsClient(transport);
  }

  /** What takes how much of the disk, as the file system counts. */
  async disk(call: CallOptions = {}): Promise<SkiffDisk> {
    const { text } = await this.#transport.call({
      method: 'GET',
      path: '/skiff/v1/disk',
      timeoutMs: silenceMs,
      ...call,
    });
    return answerOf<SkiffDisk>(text, 'disk', { totalBytes: 'number', images: 'object', containers: 'object' });
  }

  /** Tells the engine which folders of this computer its containers may bind; the list takes the place of the one before. */
  async share(list: ShareList, call: CallOptions = {}): Promise<void> {
    await this.#transport.call({ method: 'PUT', path: '/skiff/v1/shares', json: list, ...call });
  }

  /** What it was told last. */
  async shares(call: CallOptions = {}): Promise<ShareList> {
    const { text } = await this.#transport.call({ method: 'GET', path: '/skiff/v1/shares', ...call });
    return answerOf<ShareList>(text, 'shares', { folders: 'object', whenMissing: 'string' });
  }

  /** The stream over which the engine asks for their files; whoever opens it answers in SFTP. The latest one is used. */
  async attachShares(call: CallOptions = {}): Promise<Duplex> {
    const { outgoing } = await this.#transport.hijack({ method: 'POST', path: '/skiff/v1/shares/attach', ...call });
    return outgoing;
  }

  /** Gives back what can be had again or is of no use. */
  async reclaim(
    kinds: readonly SkiffReclaimable[],
    options: { readonly isDryRun: boolean },
    call: CallOptions = {},
  ): Promise<SkiffReclaimed> {
    const query = { kind: kinds, dryRun: options.isDryRun };
    const spec = { method: 'POST', path: '/skiff/v1/disk/reclaim', query, timeoutMs: silenceMs } as const;
    return answerOf<SkiffReclaimed>((await this.#transport.call({ ...spec, ...call })).text, 'reclaim', {
      kinds: 'array',
    });
  }

  /** The layers of an image, what each does to those below, and what is wasted. */
  async layers(image: string, call: CallOptions = {}): Promise<SkiffImageLayers> {
    const { text } = await this.#transport.call({ method: 'GET', path: `${pathOf(image)}/layers`, ...call });
    return answerOf<SkiffImageLayers>(text, 'layers', { id: 'string' });
  }

  /** Files of an image: one directory, with what is opened below it. */
  async tree(image: string, { path, ...options }: TreeOptions = {}, call: CallOptions = {}): Promise<SkiffTree> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(options)) if (value !== undefined) query.set(name, String(value));
    // The path is bytes, escaped already.
    const whole = `${query}${path === undefined || path === '' ? '' : `&path=${path}`}`;
    const spec = { method: 'GET', path: `${pathOf(image)}/tree?${whole}` } as const;
    return answerOf<SkiffTree>((await this.#transport.call({ ...spec, ...call })).text, 'tree', { id: 'string' });
  }

  /** The bytes of a file, links followed inside the image. `path`: percent-encoded bytes. Ending the stream early ends the transfer. */
  async file(
    image: string,
    { path, layer }: { readonly path: string; readonly layer?: number | undefined },
    call: CallOptions = {},
  ): Promise<{ readonly content: Readable; readonly sizeBytes: number }> {
    const at = layer === undefined ? '' : `&layer=${layer}`;
    const spec = { method: 'GET', path: `${pathOf(image)}/file?path=${path}${at}` } as const;
    const { body } = await this.#transport.stream({ ...spec, ...call });
    return { content: body, sizeBytes: Number(body.headers['content-length'] ?? 0) };
  }

  /** The paths that take room and that no container sees, the most wasteful first. */
  async waste(image: string, options: { readonly limit?: number } = {}, call: CallOptions = {}): Promise<SkiffWaste> {
    const spec = { method: 'GET', path: `${pathOf(image)}/waste`, query: options } as const;
    return answerOf<SkiffWaste>((await this.#transport.call({ ...spec, ...call })).text, 'waste', { paths: 'array' });
  }

  /** What differs between two images; of the files a page. */
  async compare(
    images: { readonly from: string; readonly to: string },
    page: { readonly after?: string; readonly limit?: number } = {},
    call: CallOptions = {},
  ): Promise<SkiffComparison> {
    const spec = {
      method: 'GET',
      path: '/skiff/v1/compare',
      query: { ...images, ...page },
      timeoutMs: silenceMs,
    } as const;
    const { text } = await this.#transport.call({ ...spec, ...call });
    return answerOf<SkiffComparison>(text, 'compare', { files: 'array', config: 'array' });
  }

  /** Makes an image in which the layers `from` to `to` (indices, 0 is the bottom; absent: all above) are one. `names` are given to it. */
  async squash(
    image: string,
    { names, ...range }: { readonly names: readonly string[]; readonly from?: number; readonly to?: number },
    call: CallOptions = {},
  ): Promise<SkiffSquashed> {
    const query = { ...range, tag: names };
    const spec = { method: 'POST', path: `${pathOf(image)}/squash`, query, timeoutMs: silenceMs } as const;
    return answerOf<SkiffSquashed>((await this.#transport.call({ ...spec, ...call })).text, 'squash', { id: 'string' });
  }

  /** Makes an image of one layer. Its names are given to the new one. */
  async flatten(image: string, names: readonly string[], call: CallOptions = {}): Promise<SkiffSquashed> {
    const query = { tag: names };
    const spec = { method: 'POST', path: `${pathOf(image)}/flatten`, query, timeoutMs: silenceMs } as const;
    return answerOf<SkiffSquashed>((await this.#transport.call({ ...spec, ...call })).text, 'flatten', {
      id: 'string',
    });
  }
}

function pathOf(name: string): string {
  return `/skiff/v1/images/${name.split('/').map(encodeURIComponent).join('/')}`;
}
