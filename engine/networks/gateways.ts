import type { Endpoint, EndpointPlan } from './plan.ts';

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

function gatewayCount({ ipv4, ipv6 }: Endpoint): number {
  return Number(hasWayOut(ipv4)) + Number(hasWayOut(ipv6));
}

function hasWayOut(address: Endpoint['ipv4']): boolean {
  return address !== null && address.gateway !== null;
}
