import type { CreateVolumeBody, VolumeInspect, VolumeList, VolumesPruned } from '../api/volumes.ts';
import { answerOf } from './answers.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

/** Volumes of one engine, by name. */
export class VolumesClient {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async list(options: { readonly filters?: Filters } = {}, call: CallOptions = {}): Promise<VolumeList> {
    const query = { filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'GET', path: '/volumes', query, ...call });
    return answerOf<VolumeList>(text, 'volumes', {});
  }

  async inspect(name: string, call: CallOptions = {}): Promise<VolumeInspect> {
    return answerOf<VolumeInspect>(await this.inspectText(name, call), 'inspect volume', { Name: 'string' });
  }

  /** The answer of `inspect` as the engine wrote it. */
  async inspectText(name: string, call: CallOptions = {}): Promise<string> {
    return (await this.#session.call({ method: 'GET', path: pathOf(name), ...call })).text;
  }

  /** A volume that is there already is given back when its driver and options agree. */
  async create(body: CreateVolumeBody, call: CallOptions = {}): Promise<VolumeInspect> {
    const { text } = await this.#session.call({ method: 'POST', path: '/volumes/create', json: body, ...call });
    return answerOf<VolumeInspect>(text, 'create volume', { Name: 'string' });
  }

  /** Throws EngineError 409 when a container uses it. */
  async remove(name: string, options: { readonly force?: boolean } = {}, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'DELETE', path: pathOf(name), query: { force: options.force }, ...call });
  }

  /** Anonymous ones alone, unless the filter `all` says otherwise. */
  async prune(options: { readonly filters?: Filters } = {}, call: CallOptions = {}): Promise<VolumesPruned> {
    const query = { filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'POST', path: '/volumes/prune', query, ...call });
    return answerOf<VolumesPruned>(text, 'prune volumes', { SpaceReclaimed: 'number' });
  }
}

function pathOf(name: string): string {
  return `/volumes/${encodeURIComponent(name)}`;
}
