import type { NetworkSummary } from '../../api/networks.ts';
import { labelList, labelsOf } from './rows.ts';
import type { Row, RowFormat } from './rows.ts';
import { formatStamp } from './times.ts';

type NetworkField = 'CreatedAt' | 'Driver' | 'ID' | 'IPv4' | 'IPv6' | 'Internal' | 'Labels' | 'Name' | 'Scope';

export const networkFormat: RowFormat<NetworkField> = {
  titles: {
    CreatedAt: 'CREATED AT',
    Driver: 'DRIVER',
    ID: 'NETWORK ID',
    IPv4: 'IPV4',
    IPv6: 'IPV6',
    Internal: 'INTERNAL',
    Labels: 'LABELS',
    Name: 'NAME',
    Scope: 'SCOPE',
  },
  table: ['ID', 'Name', 'Driver', 'Scope'],
  quiet: 'ID',
};

/** What `network ls` prints of a network. */
export function networkRow(network: NetworkSummary, length: 'short' | 'full'): Row<NetworkField> {
  return {
    CreatedAt: formatStamp(network.Created),
    Driver: network.Driver,
    ID: length === 'short' ? network.Id.slice(0, 12) : network.Id,
    IPv4: String(network.EnableIPv4 ?? true),
    IPv6: String(network.EnableIPv6),
    Internal: String(network.Internal),
    Labels: labelList(network.Labels),
    Name: network.Name,
    Scope: network.Scope,
    [labelsOf]: network.Labels,
  };
}
