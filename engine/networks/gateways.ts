import { type Endpoint, type EndpointPlan, gatewayEndpoint } from './plan.ts';

/**
 * Which endpoint of a container has the default route of each family: the highest priority, then one that has a gateway of both families,
 * then the lowest name of a network (source: docker network connect reference, `--gw-priority`).
 */
export function chooseGateways(endpoints: readonly Endpoint[]): EndpointPlan['gateways'] {
  const ordered = endpoints.toSorted(
    (one, other) =>
      other.gatewayPriority - one.gatewayPriority ||
      gatewayCount(other) - gatewayCount(one) ||
      (one.networkName < other.networkName ? -1 : 1),
  );
  return {
    ipv4: ordered.find(({ ipv4 }) => hasWayOut(ipv4))?.id ?? null,
    ipv6: ordered.find(({ ipv6 }) => hasWayOut(ipv6))?.id ?? null,
  };
}

/** What is left of a plan. Published ports go with the last endpoint that could serve them. */
export function withoutEndpoint(plan: EndpointPlan, endpoint: Pick<Endpoint, 'id'>): EndpointPlan {
  const endpoints = plan.endpoints.filter(({ id }) => id !== endpoint.id);
  const rest = { ...plan, endpoints, gateways: chooseGateways(endpoints) };
  return publisherOf(rest) === null ? { ...rest, ports: [] } : rest;
}

/** Whose ports are published. Only a bridge can: what is on a parent interface is outside already. */
export function publisherOf(plan: EndpointPlan): Endpoint | null {
  const candidates = [gatewayEndpoint(plan, 4), gatewayEndpoint(plan, 6)];
  return candidates.find((endpoint) => endpoint?.driver === 'bridge') ?? null;
}

function gatewayCount({ ipv4, ipv6 }: Endpoint): number {
  return Number(hasWayOut(ipv4)) + Number(hasWayOut(ipv6));
}

function hasWayOut(address: Endpoint['ipv4']): boolean {
  return address !== null && address.gateway !== null;
}
