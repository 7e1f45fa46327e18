import type { EndpointId, NetworkId } from '../model/ids.ts';
import type { Endpoint, EndpointPlan, PublishedPort } from './plan.ts';

/** A plan of the first release, which had one network and IPv4 alone. */
interface FirstPlan extends Omit<EndpointPlan, 'mode' | 'endpoints' | 'gateways' | 'wantedPorts'> {
  readonly mode: 'bridge' | 'none' | 'host' | 'container';
  readonly endpoints: readonly {
    readonly id: EndpointId;
    readonly networkId: NetworkId;
    readonly networkName: string;
    readonly interfaceName: string;
    readonly hostInterface: string;
    readonly address: string;
    readonly prefixLength: number;
    readonly gateway: string;
    readonly macAddress: string;
  }[];
}

/** A plan as a row holds it, of this engine or of an older one: its containers may run still. */
export function readStoredPlan(stored: EndpointPlan | FirstPlan): EndpointPlan {
  if ('gateways' in stored) return stored;
  const endpoints = stored.endpoints.map(({ address, prefixLength, gateway, ...endpoint }): Endpoint => ({
    ...endpoint,
    driver: 'bridge',
    ipv4: { address, prefixLength, gateway },
    ipv6: null,
    linkLocalAddresses: [],
    aliases: [],
    dnsNames: [],
    links: [],
    driverOptions: {},
    gatewayPriority: 0,
  }));
  return {
    ...stored,
    mode: stored.mode === 'bridge' ? 'network' : stored.mode,
    endpoints,
    gateways: { ipv4: endpoints[0]?.id ?? null, ipv6: null },
    wantedPorts: stored.ports.filter(({ hostAddress }) => !hostAddress.includes(':')).map(wantedAgain),
  };
}

function wantedAgain({ port, protocol, hostAddress, hostPort }: PublishedPort): EndpointPlan['wantedPorts'][number] {
  return { port, protocol, hostAddress, hostPorts: { first: hostPort, last: hostPort } };
}
