import { createHash } from 'node:crypto';
import type { Parts } from '../../containers/parts.ts';
import { EngineError, notFound } from '../../model/errors.ts';
import { parseFilters, passes, passesLabels } from '../../model/filters.ts';
import type { Route } from '../router.ts';

/** The three networks that every engine has. Others cannot be made yet, so there are no others to show. */
export function networkRoutes(parts: Parts): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/networks',
      handle(exchange) {
        const filters = parseFilters(exchange.query.get('filters'), [
          'dangling',
          'driver',
          'id',
          'label',
          'name',
          'scope',
          'type',
        ]);
        const found = networks(parts).filter(
          (network) =>
            passes(filters, 'name', (value) => network.Name.includes(value)) &&
            passes(filters, 'id', (value) => network.Id.startsWith(value)) &&
            passes(filters, 'driver', (value) => network.Driver === value) &&
            passes(filters, 'scope', (value) => value === 'local') &&
            passes(filters, 'type', (value) => value === 'builtin') &&
            passes(filters, 'dangling', (value) => !['1', 'true'].includes(value)) &&
            passesLabels(filters, {}),
        );
        exchange.json(200, found);
      },
    },
    {
      method: 'GET',
      path: '/networks/:id',
      handle: (exchange) => exchange.json(200, find(parts, exchange.param('id'))),
    },
    {
      method: 'DELETE',
      path: '/networks/:id',
      handle(exchange) {
        const { Name } = find(parts, exchange.param('id'));
        throw new EngineError('forbidden', `${Name} is a pre-defined network and cannot be removed`);
      },
    },
  ];
}

type WireNetwork = ReturnType<typeof networks>[number];

function find(parts: Parts, text: string): WireNetwork {
  const all = networks(parts);
  const found =
    all.find(({ Id, Name }) => Id === text || Name === text) ??
    all.find(({ Id }) => text !== '' && Id.startsWith(text));
  if (found === undefined) throw notFound(`network ${text} not found`);
  return found;
}

function networks(parts: Parts) {
  const { bridge } = parts.networks;
  const common = {
    Created: '0001-01-01T00:00:00Z',
    Scope: 'local',
    EnableIPv4: true,
    EnableIPv6: false,
    Internal: false,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Options: {},
    Labels: {},
  };
  const running = parts.directory
    .all()
    .flatMap((container) =>
      container.state.status === 'running' ? [{ container, plan: container.state.endpoint }] : [],
    );
  const joined = (mode: string) =>
    Object.fromEntries(
      running
        .filter(({ plan }) => plan.mode === mode)
        .map(({ container, plan }) => {
          const endpoint = plan.endpoints[0];
          const address =
            endpoint === undefined ? '' : `${endpoint.ipv4?.address ?? ''}/${endpoint.ipv4?.prefixLength ?? 0}`;
          return [
            container.id,
            {
              Name: container.name,
              EndpointID: endpoint?.id ?? '',
              MacAddress: endpoint?.macAddress ?? '',
              IPv4Address: address,
              IPv6Address: '',
            },
          ];
        }),
    );
  // host and none are no networks of the kernel: their ids only name them, and must not change.
  return [
    {
      ...common,
      Name: 'bridge',
      Id: bridge.networkId as string,
      Driver: 'bridge',
      IPAM: { Driver: 'default', Options: null, Config: [{ Subnet: bridge.subnet, Gateway: bridge.gateway }] },
      Containers: joined('network'),
      Options: { 'com.docker.network.bridge.default_bridge': 'true', 'com.docker.network.bridge.name': bridge.name },
    },
    {
      ...common,
      Name: 'host',
      Id: builtInId('host'),
      Driver: 'host',
      IPAM: { Driver: 'default', Options: null, Config: [] },
      Containers: joined('host'),
    },
    {
      ...common,
      Name: 'none',
      Id: builtInId('none'),
      Driver: 'null',
      IPAM: { Driver: 'default', Options: null, Config: [] },
      Containers: joined('none'),
    },
  ];
}

function builtInId(name: string): string {
  return createHash('sha256').update(`built-in network ${name}`).digest('hex');
}
