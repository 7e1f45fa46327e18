import { connectContainer, disconnectContainer } from '../../containers/network/connect.ts';
import type { Container } from '../../containers/container.ts';
import type { Parts } from '../../containers/parts.ts';
import { EngineError, invalid, notFound } from '../../model/errors.ts';
import { parseFilters } from '../../model/filters.ts';
import type { Network } from '../../networks/networks.ts';
import { readEndpoint } from '../containers/create/network.ts';
import type { Exchange } from '../exchange.ts';
import { Fields } from '../fields.ts';
import type { Route } from '../router.ts';
import { readCreateNetworkBody } from './create-network-body.ts';
import { networkFilterKeys, passesNetworkFilters } from './network-filters.ts';
import { presentNetwork } from './present-network.ts';
import { networkPruneFilterKeys, pruneNetworks } from './prune-networks.ts';

export function networkRoutes(parts: Parts): readonly Route[] {
  return [
    { method: 'GET', path: '/networks', handle: (exchange) => list(parts, exchange) },
    { method: 'POST', path: '/networks/create', handle: (exchange) => create(parts, exchange) },
    { method: 'POST', path: '/networks/prune', handle: (exchange) => prune(parts, exchange) },
    { method: 'GET', path: '/networks/:id', handle: (exchange) => inspect(parts, exchange) },
    { method: 'DELETE', path: '/networks/:id', handle: (exchange) => remove(parts, exchange) },
    { method: 'POST', path: '/networks/:id/connect', handle: (exchange) => connect(parts, exchange) },
    { method: 'POST', path: '/networks/:id/disconnect', handle: (exchange) => disconnect(parts, exchange) },
  ];
}

function list(parts: Parts, exchange: Exchange): void {
  const filters = parseFilters(exchange.query.get('filters'), networkFilterKeys);
  const inUse = new Set(parts.directory.all().flatMap((container) => networksOf(parts, container)));
  const found = parts.networks
    .all()
    .filter((network) => passesNetworkFilters(filters, network, { isInUse: inUse.has(network.id) }));
  // A list tells no containers; clients count on the field being there.
  exchange.json(
    200,
    found.map((network) => presentNetwork(network, [])),
  );
}

function networksOf({ networks }: Parts, { state }: Container): readonly string[] {
  if (state.status !== 'running' && state.status !== 'paused') return [];
  const { mode, endpoints } = state.endpoint;
  if (mode === 'host' || mode === 'none') return [networks.find(mode).id];
  return endpoints.map(({ networkId }) => networkId);
}

async function create(parts: Parts, exchange: Exchange): Promise<void> {
  const request = readCreateNetworkBody(await exchange.body(), exchange.version);
  const network = await parts.networks.create(request);
  // Its first container should not have to wait for a process to come up.
  parts.names.prepare();
  publish(parts, network, 'create');
  exchange.json(201, { Id: network.id, Warning: '' });
}

function inspect(parts: Parts, exchange: Exchange): void {
  const network = parts.networks.find(exchange.param('id'));
  const scope = exchange.query.get('scope') ?? '';
  if (scope !== '' && scope !== network.scope) throw notFound(`network ${exchange.param('id')} not found`);
  exchange.json(200, presentNetwork(network, parts.directory.all()));
}

async function remove(parts: Parts, exchange: Exchange): Promise<void> {
  const network = parts.networks.find(exchange.param('id'));
  await parts.networks.remove(network);
  publish(parts, network, 'destroy');
  exchange.empty(204);
}

async function prune(parts: Parts, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), networkPruneFilterKeys);
  const removed = await pruneNetworks(parts.networks, filters, parts.now());
  for (const network of removed) publish(parts, network, 'destroy');
  parts.events.publish({ type: 'network', action: 'prune', actorId: '', attributes: { reclaimed: '0' } });
  const names = removed.map(({ name }) => name);
  exchange.json(200, { NetworksDeleted: names.length === 0 ? null : names });
}

async function connect(parts: Parts, exchange: Exchange): Promise<void> {
  const fields = new Fields('', await exchange.body());
  const network = parts.networks.find(exchange.param('id'));
  const container = find(parts, fields.text('Container'));
  const asked = readEndpoint(network.name, fields.object('EndpointConfig'));
  // Before that, a connect had no MAC address of its own, and clients send it with an endpoint that they have inspected.
  const endpoint = exchange.isSince('1.54') ? asked : { ...asked, macAddress: null };
  await connectContainer(parts, container, { network, endpoint });
  exchange.empty(200);
}

async function disconnect(parts: Parts, exchange: Exchange): Promise<void> {
  const fields = new Fields('', await exchange.body());
  const network = parts.networks.find(exchange.param('id'));
  const reference = fields.text('Container');
  const isForced = fields.flag('Force');
  try {
    await disconnectContainer(parts, find(parts, reference), network);
  } catch (error) {
    // Forced, it is about what is left of an endpoint, whatever became of the container.
    if (isForced && error instanceof EngineError && error.kind === 'not-found')
      throw notFound(`endpoint ${reference} not found`);
    throw error;
  }
  exchange.empty(200);
}

function find(parts: Parts, reference: string): Container {
  if (reference === '') throw invalid('invalid name or ID supplied: ""');
  return parts.directory.find(reference);
}

function publish(parts: Parts, network: Network, action: 'create' | 'destroy'): void {
  const attributes = { name: network.name, type: network.driver };
  parts.events.publish({ type: 'network', action, actorId: network.id, attributes });
}
