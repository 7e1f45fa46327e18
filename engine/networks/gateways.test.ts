import { expect, it } from 'vitest';
import { newEndpointId, newNetworkId, parseContainerId } from '../model/ids.ts';
import { chooseGateways, publisherOf, withoutEndpoint } from './gateways.ts';
import type { Endpoint, EndpointPlan } from './plan.ts';

const ipv4 = { address: '172.18.0.2', prefixLength: 16, gateway: '172.18.0.1' };
const ipv6 = { address: 'fd00::2', prefixLength: 64, gateway: 'fd00::1' };

function endpoint(networkName: string, change: Partial<Endpoint> = {}): Endpoint {
  return {
    id: newEndpointId(),
    networkId: newNetworkId(),
    networkName,
    driver: 'bridge',
    interfaceName: 'eth0',
    hostInterface: 'veth0',
    ipv4,
    ipv6: null,
    linkLocalAddresses: [],
    macAddress: '02:00:00:00:00:02',
    aliases: [],
    dnsNames: [],
    links: [],
    driverOptions: {},
    gatewayPriority: 0,
    ...change,
  };
}

function planOf(...endpoints: readonly Endpoint[]): EndpointPlan {
  return {
    containerId: parseContainerId('ab'.repeat(32)),
    mode: 'network',
    netnsPath: '/run/netns/ab',
    endpoints,
    gateways: chooseGateways(endpoints),
    wantedPorts: [],
    ports: [{ port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 }],
  };
}

it('prefers priority, then both families, then the name, and passes over what leads nowhere', () => {
  const internal = endpoint('a', { ipv4: { ...ipv4, gateway: null }, gatewayPriority: 9 });
  const plain = endpoint('b');
  const dual = endpoint('c', { ipv6 });
  const urgent = endpoint('d', { gatewayPriority: 1 });
  expect(chooseGateways([internal])).toEqual({ ipv4: null, ipv6: null });
  expect(chooseGateways([plain, endpoint('z'), internal])).toEqual({ ipv4: plain.id, ipv6: null });
  expect(chooseGateways([plain, dual])).toEqual({ ipv4: dual.id, ipv6: dual.id });
  expect(chooseGateways([plain, dual, urgent])).toEqual({ ipv4: urgent.id, ipv6: dual.id });
});

it('takes published ports along while another bridge leads out, and no longer', () => {
  const [one, other] = [endpoint('one'), endpoint('other')];
  const outside = endpoint('outside', { driver: 'macvlan', hostInterface: null });
  expect(withoutEndpoint(planOf(one, other), one)).toMatchObject({ endpoints: [other], ports: [{ port: 80 }] });
  const rest = withoutEndpoint(planOf(one, outside), one);
  expect(rest).toMatchObject({ gateways: { ipv4: outside.id }, ports: [] });
  expect(publisherOf(rest)).toBeNull();
});
