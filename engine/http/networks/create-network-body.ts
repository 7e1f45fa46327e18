import { compareApiVersions } from '../../../api/version.ts';
import type { NetworkRequest, ShownPool } from '../../networks/networks.ts';
import { Fields } from '../fields.ts';

/** From Docker's body to what the networks room is asked. Throws `invalid` for wrong types; what the words mean is checked there. */
export function readCreateNetworkBody(body: Record<string, unknown>, version: string): NetworkRequest {
  const fields = new Fields('CreateRequest', body);
  const ipam = fields.object('IPAM');
  const ipamOptions = ipam.textMap('Options');
  return {
    name: fields.text('Name'),
    driver: fields.text('Driver'),
    scope: fields.text('Scope'),
    isInternal: fields.flag('Internal'),
    isAttachable: fields.flag('Attachable'),
    isIngress: fields.flag('Ingress'),
    isConfigOnly: fields.flag('ConfigOnly'),
    configFrom: fields.object('ConfigFrom').text('Network'),
    // Before that, a network could not be without IPv4.
    hasIpv4: compareApiVersions(version, '1.48') >= 0 ? fields.flagOrNull('EnableIPv4') : null,
    hasIpv6: fields.flagOrNull('EnableIPv6'),
    ipamDriver: ipam.text('Driver'),
    ipamOptions: ipam.raw('Options') === undefined || ipam.raw('Options') === null ? null : ipamOptions,
    pools: ipam.objects('Config').map(readPool),
    options: fields.textMap('Options'),
    labels: fields.textMap('Labels'),
  };
}

function readPool(fields: Fields): ShownPool {
  return {
    subnet: fields.text('Subnet'),
    ipRange: fields.text('IPRange'),
    gateway: fields.text('Gateway'),
    auxiliary: fields.textMap('AuxiliaryAddresses'),
  };
}
