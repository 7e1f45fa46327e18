import { expect, it } from 'vitest';
import { newEndpointId, newNetworkId, parseContainerId } from '../model/ids.ts';
import type { EndpointPlan } from './networks.ts';
import { addPlan, deletePlan, tableName, wholeTable } from './ruleset.ts';

const facts = { engineId: 'engine one', bridgeName: 'skiff0', subnet: '172.17.0.0/16', closedLinks: ['eth0', 'wlan0'] };
const plan: EndpointPlan = {
  containerId: parseContainerId('ab'.repeat(32)),
  mode: 'bridge',
  netnsPath: '/run/skiff/netns/ab',
  endpoints: [
    {
      id: newEndpointId(),
      networkId: newNetworkId(),
      networkName: 'bridge',
      interfaceName: 'eth0',
      hostInterface: 'veth0',
      address: '172.17.0.2',
      prefixLength: 16,
      gateway: '172.17.0.1',
      macAddress: '02:00:00:00:00:02',
    },
  ],
  ports: [
    { port: 80, protocol: 'tcp', hostAddress: '0.0.0.0', hostPort: 8080 },
    { port: 80, protocol: 'tcp', hostAddress: '::', hostPort: 8080 },
    { port: 53, protocol: 'udp', hostAddress: '192.0.2.2', hostPort: 53 },
    { port: 9000, protocol: 'tcp', hostAddress: '127.0.0.1', hostPort: 9000 },
  ],
};

it('is one table with one container in it', async () => {
  await expect(wholeTable(facts, [plan])).toMatchFileSnapshot('ruleset.golden.nft');
});

it('takes a container in and out by elements alone', () => {
  expect(deletePlan(facts, plan).split('\n')).toEqual([
    `delete element inet ${tableName('engine one')} published-anywhere { tcp . 8080 }`,
    `delete element inet ${tableName('engine one')} published-at { 192.0.2.2 . udp . 53 }`,
    `delete element inet ${tableName('engine one')} published-at { 127.0.0.1 . tcp . 9000 }`,
    `delete element inet ${tableName('engine one')} loopback-only { 127.0.0.1 . tcp . 9000 }`,
    '',
  ]);
  expect(addPlan(facts, { ...plan, ports: [] })).toBe('');
  expect(addPlan(facts, { ...plan, endpoints: [] })).toBe('');
});

it('names its table after the engine', () => {
  expect(tableName('engine one')).toMatch(/^skiff-[0-9a-f]{8}$/);
  expect(tableName('engine one')).not.toBe(tableName('engine two'));
});
