import type {
  ConnectBody,
  CreateNetworkAnswer,
  CreateNetworkBody,
  DisconnectBody,
  NetworkInspect,
  NetworkSummary,
  NetworksPruned,
} from '../api/networks.ts';
import { answerOf, listOf } from './answers.ts';
import { filtersOf } from './filters.ts';
import type { Filters } from './filters.ts';
import type { Session } from './session.ts';
import type { CallOptions } from './transport.ts';

/** Networks of one engine. `id` is an id, a beginning of one, or a name. */
export class NetworksClient {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  async list(options: { readonly filters?: Filters } = {}, call: CallOptions = {}): Promise<readonly NetworkSummary[]> {
    const query = { filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'GET', path: '/networks', query, ...call });
    return listOf<NetworkSummary>(text, 'networks', { Id: 'string', Name: 'string' });
  }

  async inspect(
    id: string,
    options: { readonly verbose?: boolean } = {},
    call: CallOptions = {},
  ): Promise<NetworkInspect> {
    return answerOf<NetworkInspect>(await this.inspectText(id, options, call), 'inspect network', { Id: 'string' });
  }

  /** The answer of `inspect` as the engine wrote it. */
  async inspectText(id: string, options: { readonly verbose?: boolean } = {}, call: CallOptions = {}): Promise<string> {
    const query = { verbose: options.verbose || undefined };
    return (await this.#session.call({ method: 'GET', path: pathOf(id), query, ...call })).text;
  }

  /** Throws EngineError 409 for a name that is taken, 403 for an address pool that overlaps another. */
  async create(body: CreateNetworkBody, call: CallOptions = {}): Promise<CreateNetworkAnswer> {
    const { text } = await this.#session.call({ method: 'POST', path: '/networks/create', json: body, ...call });
    return answerOf<CreateNetworkAnswer>(text, 'create network', { Id: 'string' });
  }

  async remove(id: string, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'DELETE', path: pathOf(id), ...call });
  }

  async connect(id: string, body: ConnectBody, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'POST', path: `${pathOf(id)}/connect`, json: body, ...call });
  }

  async disconnect(id: string, body: DisconnectBody, call: CallOptions = {}): Promise<void> {
    await this.#session.call({ method: 'POST', path: `${pathOf(id)}/disconnect`, json: body, ...call });
  }

  async prune(options: { readonly filters?: Filters } = {}, call: CallOptions = {}): Promise<NetworksPruned> {
    const query = { filters: filtersOf(options.filters) };
    const { text } = await this.#session.call({ method: 'POST', path: '/networks/prune', query, ...call });
    return answerOf<NetworksPruned>(text, 'prune networks', {});
  }
}

function pathOf(id: string): string {
  return `/networks/${encodeURIComponent(id)}`;
}
