import { expect, it } from 'vitest';
import { newEndpointId, newNetworkId, parseContainerId } from '../model/ids.ts';
import { readStoredPlan } from './stored-plan.ts';

const containerId = parseContainerId('ab'.repeat(32));
const id = newEndpointId();

it('reads a plan of the first release, whose container may run still', () => {
  const stored = {
    containerId,
    mode: 'bridge',
    netnsPath: '/run/skiff/netns/ab',
    endpoints: [
      {
        id,
        networkId: newNetworkId(),
        networkName: 'bridge',
        interfaceName: 'eth0',
        hostInterface: 'veth0123456789a',
        address: '172.17.0.2',
        prefixLength: 16,
        gateway: '172.17.0.1',
        macAddress: '02:00:00:00:00:02',
      },
    ],
    ports: [
      { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
      { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 8080 },
    ],
  } as const;
  const plan = readStoredPlan(stored);
  expect(plan).toMatchObject({
    mode: 'network',
    endpoints: [
      { driver: 'bridge', ipv4: { address: '172.17.0.2', prefixLength: 16, gateway: '172.17.0.1' }, ipv6: null },
    ],
    gateways: { ipv4: id, ipv6: null },
    wantedPorts: [{ port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPorts: { first: 8080, last: 8080 } }],
    ports: stored.ports,
  });
  expect(plan.endpoints[0]).not.toHaveProperty('address');
  expect(readStoredPlan(JSON.parse(JSON.stringify(plan)) as typeof plan)).toEqual(plan);
});

it('reads the plan of a container without networks', () => {
  const none = { containerId, mode: 'none', netnsPath: '/run/skiff/netns/ab', endpoints: [], ports: [] } as const;
  expect(readStoredPlan(none)).toMatchObject({ mode: 'none', endpoints: [], gateways: { ipv4: null, ipv6: null } });
});
