import { expect, it } from 'vitest';
import { newEndpointId, newNetworkId, parseContainerId } from '../model/ids.ts';
import type { Endpoint, EndpointPlan } from './plan.ts';
import { type NetworkRules, addPlan, deleteNetwork, deletePlan, tableName, wholeTable } from './ruleset.ts';

const facts = { engineId: 'engine one', closedLinks: { ipv4: ['eth0', 'wlan0'], ipv6: [] } };
const networks: readonly NetworkRules[] = [
  {
    bridgeName: 'skiff0',
    ipv4: '172.17.0.0/16',
    ipv6: null,
    hasMasquerade: true,
    hasIcc: true,
    isInternal: false,
    isUnprotected: { ipv4: false, ipv6: false },
  },
  {
    bridgeName: 'br-dual',
    ipv4: '172.18.0.0/16',
    ipv6: 'fd00:9::/64',
    hasMasquerade: true,
    hasIcc: false,
    isInternal: false,
    isUnprotected: { ipv4: false, ipv6: true },
  },
  {
    bridgeName: 'br-internal',
    ipv4: '172.19.0.0/16',
    ipv6: null,
    hasMasquerade: true,
    hasIcc: true,
    isInternal: true,
    isUnprotected: { ipv4: false, ipv6: false },
  },
];
const endpoint: Endpoint = {
  id: newEndpointId(),
  networkId: newNetworkId(),
  networkName: 'dual',
  driver: 'bridge',
  interfaceName: 'eth0',
  hostInterface: 'veth0',
  ipv4: { address: '172.18.0.2', prefixLength: 16, gateway: '172.18.0.1' },
  ipv6: { address: 'fd00:9::2', prefixLength: 64, gateway: 'fd00:9::1' },
  linkLocalAddresses: [],
  macAddress: '02:00:00:00:00:02',
  aliases: [],
  dnsNames: [],
  links: [],
  driverOptions: {},
  gatewayPriority: 0,
};
const plan: EndpointPlan = {
  containerId: parseContainerId('ab'.repeat(32)),
  mode: 'network',
  netnsPath: '/run/skiff/netns/ab',
  endpoints: [endpoint],
  gateways: { ipv4: endpoint.id, ipv6: endpoint.id },
  wantedPorts: [],
  ports: [
    { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
    { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 8080 },
    { port: 53, protocol: 'udp', hostAddress: '192.0.2.2', hostPort: 53 },
    { port: 53, protocol: 'udp', hostAddress: '2001:db8::2', hostPort: 53 },
    { port: 9000, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 9000 },
    { port: 9000, protocol: 'tcp', hostAddress: '::1', hostPort: 9000 },
  ],
};

it('is one table with three networks and one container in it', async () => {
  await expect(wholeTable(facts, { networks, plans: [plan] })).toMatchFileSnapshot('ruleset.golden.nft');
});

it('takes a container in and out by elements alone', () => {
  const table = tableName('engine one');
  expect(deletePlan(facts, plan).split('\n')).toEqual([
    `delete element inet ${table} published-anywhere { tcp . 8080 }`,
    `delete element inet ${table} published-anywhere-6 { tcp . 8080 }`,
    `delete element inet ${table} published-at { 192.0.2.2 . udp . 53 }`,
    `delete element inet ${table} published-at-6 { 2001:db8::2 . udp . 53 }`,
    `delete element inet ${table} published-at { 127.0.0.1 . tcp . 9000 }`,
    `delete element inet ${table} loopback-only { 127.0.0.1 . tcp . 9000 }`,
    '',
  ]);
  expect(addPlan(facts, { ...plan, ports: [] })).toBe('');
  expect(addPlan(facts, { ...plan, endpoints: [] })).toBe('');
});

it('leaves what comes by a family that the container has not to the engine', () => {
  const onlyIpv4 = { ...plan, gateways: { ...plan.gateways, ipv6: null } };
  expect(addPlan(facts, onlyIpv4)).not.toContain('-6');
});

it('takes a network out with every element that leads to its chains', () => {
  const script = deleteNetwork(facts, { ...networks[1], bridgeName: 'br-dual' } as NetworkRules);
  expect(script.split('\n').filter((line) => line.startsWith('delete element'))).toHaveLength(6);
  expect(script.split('\n').filter((line) => line.startsWith('delete chain'))).toHaveLength(3);
});

it('names its table after the engine', () => {
  expect(tableName('engine one')).toMatch(/^skiff-[0-9a-f]{8}$/);
  expect(tableName('engine one')).not.toBe(tableName('engine two'));
});
