/**
 * Networks of a container that is there already. One that runs gets or loses an interface at once; of one that does not,
 * only what it will ask for at its next start changes.
 */
import { conflict, EngineError, forbidden, internal, invalid } from '../../model/errors.ts';
import { joined } from '../../networks/check-pools.ts';
import { endpointMistakes } from '../../networks/check-endpoint.ts';
import { withoutEndpoint } from '../../networks/gateways.ts';
import type { EndpointPlan, Network } from '../../networks/networks.ts';
import type { Container } from '../container.ts';
import { publishNetworkEvent } from '../container-events.ts';
import { endpointRequest } from './endpoints.ts';
import { followNetworks } from '../names/names.ts';
import type { Parts } from '../parts.ts';
import type { ContainerSpec, EndpointSpec } from '../spec/spec.ts';
import { liveState } from '../state.ts';

/** Throws docker's errors: `invalid` for what cannot be joined, `forbidden` for what is joined already. */
export async function connectContainer(
  parts: Parts,
  container: Container,
  { network, endpoint }: { readonly network: Network; readonly endpoint: EndpointSpec },
): Promise<void> {
  await container.queue.run(async () => {
    assertConnectable(container, network);
    const mistakes = endpointMistakes(network, endpoint);
    if (mistakes.length > 0) throw invalid(`invalid endpoint settings:\n${joined(mistakes)}`);
    const live = liveState(container.state);
    if (live === null) {
      const spec = withEndpoint(container.spec, endpoint);
      parts.rows.changeSpec(container.id, spec);
      container.changeSpec(spec);
      return;
    }
    if (live.endpoint.endpoints.some(({ networkId }) => networkId === network.id))
      throw forbidden(`endpoint with name ${container.name} already exists in network ${network.name}`);
    await connectNow(parts, container, {
      request: endpointRequest(container, { network, endpoint }),
      before: live.endpoint,
      spec: withEndpoint(container.spec, { ...endpoint, networkId: network.id }),
    });
  });
}

/** Throws docker's errors: `internal`, as dockerd, when it is not connected. */
export async function disconnectContainer(parts: Parts, container: Container, network: Network): Promise<void> {
  await container.queue.run(async () => {
    const { spec, id } = container;
    if (spec.network.mode === 'host' && network.driver === 'host')
      throw invalid('cannot disconnect container from host network - container was created in host network mode');
    const live = liveState(container.state);
    const rest = withoutNetwork(spec, network);
    if (live === null) {
      if (rest.network.endpoints.length === spec.network.endpoints.length)
        throw internal(`container ${id} is not connected to the network ${network.name}`);
      parts.rows.changeSpec(id, rest);
      container.changeSpec(rest);
      return;
    }
    const endpoint = live.endpoint.endpoints.find(({ networkId }) => networkId === network.id);
    if (endpoint === undefined) throw internal(`container ${id} is not connected to network ${network.name}`);
    const plan = withoutEndpoint(live.endpoint, endpoint);
    // The row tells what will be; what is still there of the endpoint is taken away now, or at boot.
    parts.rows.changeNetworks(id, { spec: rest, state: { ...live, endpoint: plan } }, { verb: 'disconnect', endpoint });
    container.changeSpec(rest);
    container.changeNetworks(plan);
    await parts.networks.disconnect(live.endpoint, endpoint);
    await followNetworks(parts, container, { before: live.endpoint, after: plan });
    parts.rows.settle(id, container.state);
    publishNetworkEvent(parts, container, 'disconnect', { mode: 'network', endpoints: [endpoint] });
  });
}

/** At boot: what a connect or a disconnect that was under way has left is taken away. Both are then as if the container were not in that network. */
export async function finishNetworkChange(
  parts: Parts,
  container: Container,
  endpoint: EndpointPlan['endpoints'][number],
): Promise<void> {
  const live = liveState(container.state);
  if (live !== null) await parts.networks.disconnect(live.endpoint, endpoint);
  parts.rows.settle(container.id, container.state);
}

async function connectNow(
  parts: Parts,
  container: Container,
  change: {
    readonly request: ReturnType<typeof endpointRequest>;
    readonly before: EndpointPlan;
    readonly spec: ContainerSpec;
  },
): Promise<void> {
  const { networks, rows } = parts;
  const { id } = container;
  const plan = await networks.planConnect(change.before, change.request);
  const endpoint = plan.endpoints.at(-1);
  const live = liveState(container.state);
  if (endpoint === undefined || live === null) throw internal(`the container ${id} has no network to add to`);
  rows.begin(id, { verb: 'connect', endpoint });
  try {
    networks.realiseConnect(plan);
  } catch (error) {
    await networks.disconnect(plan, endpoint);
    rows.settle(id, container.state);
    throw error;
  }
  rows.changeNetworks(id, { spec: change.spec, state: { ...live, endpoint: plan } }, null);
  container.changeSpec(change.spec);
  container.changeNetworks(plan);
  await followNetworks(parts, container, { before: change.before, after: plan });
  publishNetworkEvent(parts, container, 'connect', { mode: 'network', endpoints: [endpoint] });
}

function assertConnectable({ spec, state, id }: Container, network: Network): void {
  if (state.status === 'removing' || state.status === 'dead')
    throw conflict(`container ${id} is marked for removal and cannot be connected or disconnected to the network`);
  const { mode } = spec.network;
  if (mode === 'host' || typeof mode === 'object')
    throw invalid(
      'container sharing network namespace with another container or host cannot be connected to any other network',
    );
  if (network.driver === 'host')
    throw invalid('cannot connect container to host network - container must be created in host network mode');
  if (mode === 'none' || network.driver === 'null')
    throw invalid('container cannot be connected to multiple networks with one of the networks in private (none) mode');
  if (network.isConfigOnly) throw new EngineError('not-found', `network ${network.name} not found`);
}

function withEndpoint(spec: ContainerSpec, endpoint: EndpointSpec): ContainerSpec {
  const others = spec.network.endpoints.filter(({ network }) => network !== endpoint.network);
  return { ...spec, network: { ...spec.network, endpoints: [...others, endpoint] } };
}

function withoutNetwork(spec: ContainerSpec, network: Network): ContainerSpec {
  const endpoints = spec.network.endpoints.filter(
    (one) => one.networkId !== network.id && one.network !== network.name && one.network !== network.id,
  );
  return { ...spec, network: { ...spec.network, endpoints } };
}
