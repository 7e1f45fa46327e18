/** Small builders for tests of the networks room: what is asked of a network, and where networks are kept. */
import { join } from 'node:path';
import type { NetworkId } from '../model/ids.ts';
import type { EndpointRequest, NetworkRequest, NetworkRows } from '../networks/networks.ts';
import { StoredNetworks } from '../networks/stored-networks.ts';
import { openDatabase } from '../store/database.ts';

export function endpointIn(networkId: NetworkId, change: Partial<EndpointRequest> = {}): EndpointRequest {
  return {
    networkId,
    ipv4Address: null,
    ipv6Address: null,
    linkLocalAddresses: [],
    macAddress: null,
    aliases: [],
    dnsNames: [],
    links: [],
    driverOptions: {},
    gatewayPriority: 0,
    ...change,
  };
}

export function networkNamed(name: string, change: Partial<NetworkRequest> = {}): NetworkRequest {
  return {
    name,
    driver: '',
    scope: '',
    isInternal: false,
    isAttachable: false,
    isIngress: false,
    isConfigOnly: false,
    configFrom: '',
    hasIpv4: null,
    hasIpv6: null,
    ipamDriver: '',
    ipamOptions: null,
    pools: [],
    options: {},
    labels: {},
    ...change,
  };
}

/** Networks of one engine, in a database of its own below `folder`. */
export function rowsIn(folder: string, engineId: string): NetworkRows & Disposable {
  const database = openDatabase(join(folder, `data ${engineId}`));
  const rows = new StoredNetworks(database);
  return {
    all: () => rows.all(),
    insert: (network) => rows.insert(network),
    settle: (network, state) => rows.settle(network, state),
    delete: (id) => rows.delete(id),
    [Symbol.dispose]: () => database[Symbol.dispose](),
  };
}
