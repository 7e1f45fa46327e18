/** Images that are being fetched. A pull belongs to the core: a page that was opened later sees it, one that closes does not end it. */
import type { RegistryAuth } from '../../../api/registries.ts';
import type { ProgressMessage } from '../../../api/images.ts';
import { familiarImageName, parseImageName, withDefaultTag } from '../../../api/image-names.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import type { Pull, PullLayer } from '../../contract/images.ts';
import { DesktopError } from '../../contract/errors.ts';
import type { Clock } from '../clock.ts';
import { errorShapeOf } from '../failures.ts';
import { LiveList } from '../lists/live-list.ts';
import type { Tasks } from '../tasks.ts';

/** Ended pulls that are still listed. */
const endedKept = 10;

export interface PullsOptions {
  readonly client: (machine: string) => EngineClient;
  readonly tasks: Tasks;
  readonly clock: Clock;
  readonly login: (registry: string) => Promise<RegistryAuth | null>;
  readonly report: (fault: Error) => void;
}

export class Pulls implements AsyncDisposable {
  readonly list = new LiveList<Pull, string>({ keyOf: ({ id }) => id, keyText: (id) => id });
  readonly #options: PullsOptions;
  readonly #underway = new Map<string, { readonly stop: AbortController; readonly done: Promise<void> }>();
  readonly #ended: string[] = [];
  #lastId = 0;

  constructor(options: PullsOptions) {
    this.#options = options;
  }

  /** Begins, or joins the pull of the same image that is under way. Throws `invalid-input` for what is no image name. */
  start(machine: string, reference: string): string {
    const name = nameOf(reference);
    const wanted = familiarImageName(name);
    const same = this.list
      .values()
      .find((pull) => pull.state === 'running' && pull.machine === machine && pull.reference === wanted);
    if (same) return same.id;
    const client = this.#options.client(machine);
    this.#lastId += 1;
    const id = `pull-${this.#lastId}`;
    const stop = new AbortController();
    const startedAt = this.#options.clock.now();
    const done = this.#run({
      client,
      name,
      stop,
      pull: {
        id,
        machine,
        reference: wanted,
        state: 'running',
        status: null,
        layers: [],
        fraction: null,
        startedAt,
        error: null,
      },
    });
    this.#underway.set(id, { stop, done });
    return id;
  }

  /** Does nothing when it has ended. */
  cancel(id: string): void {
    this.#underway.get(id)?.stop.abort(new DesktopError('cancelled', 'The pull was cancelled.'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#underway.values()];
    for (const { stop } of all) stop.abort(new DesktopError('cancelled', 'Skiff was closed.'));
    await Promise.all(all.map(({ done }) => done));
  }

  /** A store of logins that cannot be asked is done without: most images want none, and the registry says when it does. */
  async #loginFor(registry: string): Promise<RegistryAuth | null> {
    try {
      return await this.#options.login(registry);
    } catch (error) {
      this.#options.report(new Error(`the login for ${registry} could not be read`, { cause: error }));
      return null;
    }
  }

  async #run(parts: {
    readonly client: EngineClient;
    readonly name: ReturnType<typeof nameOf>;
    readonly stop: AbortController;
    readonly pull: Pull;
  }): Promise<void> {
    const { client, name, stop } = parts;
    let { pull } = parts;
    const put = (change: Partial<Pull>): void => this.list.set((pull = { ...pull, ...change }));
    put({});
    const about = { title: `Pulling ${pull.reference}`, machine: pull.machine };
    try {
      await this.#options.tasks.run(about, async (tell) => {
        const messages = await client.registries.pull(
          name,
          { auth: await this.#loginFor(name.domain) },
          { signal: stop.signal },
        );
        for await (const message of messages) {
          put(afterMessage(pull, message));
          tell({ fraction: pull.fraction, detail: pull.status });
        }
        stop.signal.throwIfAborted();
      });
      put({ state: 'done' });
    } catch (error) {
      put(stop.signal.aborted ? { state: 'cancelled' } : { state: 'failed', error: errorShapeOf(error) });
    } finally {
      this.#underway.delete(pull.id);
      this.#ended.push(pull.id);
      const oldest = this.#ended.length > endedKept ? this.#ended.shift() : undefined;
      if (oldest !== undefined) this.list.delete(oldest);
    }
  }
}

function nameOf(reference: string): ReturnType<typeof parseImageName> {
  try {
    return withDefaultTag(parseImageName(reference));
  } catch (error) {
    throw new DesktopError('invalid-input', error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** A pull after one more message of the engine's. */
export function afterMessage(pull: Pull, { id, status, progressDetail }: ProgressMessage): Partial<Pull> {
  if (status === undefined) return {};
  // "Pulling from library/nginx" has the tag for an id: it speaks of no layer.
  if (id === undefined || status.startsWith('Pulling from ')) return { status };
  const layer: PullLayer = {
    id,
    status,
    doneBytes: progressDetail?.current ?? null,
    totalBytes: progressDetail?.total ?? null,
  };
  const isKnown = pull.layers.some((one) => one.id === id);
  const layers = isKnown ? pull.layers.map((one) => (one.id === id ? layer : one)) : [...pull.layers, layer];
  return { layers, fraction: fractionOf(layers) };
}

/** A layer that comes has two halves, fetching and unpacking; 0 to 1, null while no layer is known. */
export function fractionOf(layers: readonly PullLayer[]): number | null {
  if (layers.length === 0) return null;
  return layers.reduce((sum, layer) => sum + layerFraction(layer), 0) / layers.length;
}

function layerFraction({ status, doneBytes, totalBytes }: PullLayer): number {
  const part = doneBytes !== null && totalBytes ? Math.min(1, doneBytes / totalBytes) : 0;
  switch (status) {
    case 'Already exists':
    case 'Pull complete':
      return 1;
    case 'Downloading':
      return part / 2;
    case 'Verifying Checksum':
    case 'Download complete':
      return 0.5;
    case 'Extracting':
      return 0.5 + part / 2;
    default:
      return 0;
  }
}
