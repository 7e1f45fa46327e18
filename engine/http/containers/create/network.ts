/** `NetworkMode`, `NetworkingConfig`, ports and names. */
import type { CreateRequest } from '../../../containers/create-request.ts';
import type { EndpointSpec, NetworkMode } from '../../../containers/spec.ts';
import { invalid, notImplemented } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';
import { exposedPort, publishedPorts } from '../ports.ts';

const defaultEndpoint: EndpointSpec = {
  network: 'bridge',
  networkId: null,
  aliases: [],
  links: [],
  ipv4Address: null,
  ipv6Address: null,
  linkLocalAddresses: [],
  macAddress: null,
  driverOptions: {},
  gatewayPriority: 0,
};

export function readNetwork(config: Fields, host: Fields): CreateRequest['network'] {
  const shownMode = host.text('NetworkMode') || 'default';
  const mode = networkMode(shownMode);
  const endpoints = config.object('NetworkingConfig').object('EndpointsConfig');
  for (const network of endpoints.names()) {
    if (!['bridge', 'default', 'host', 'none'].includes(network)) throw invalidNetwork(network);
    const endpoint = endpoints.object(network);
    for (const field of ['IPAMConfig', 'Links', 'MacAddress', 'DriverOpts', 'GwPriority']) {
      if (endpoint.isGiven(field))
        throw notImplemented(`${field} of a network endpoint is not there yet in this version of the Skiff engine`);
    }
  }
  const published = publishedPorts(host.object('PortBindings'));
  return {
    mode,
    shownMode,
    endpoints: mode === 'network' ? [defaultEndpoint] : [],
    exposed: config.keys('ExposedPorts').flatMap(exposedPort),
    published: mode === 'network' ? published : [],
    publishesAll: host.flag('PublishAllPorts'),
    dns: host.texts('Dns'),
    dnsSearch: host.texts('DnsSearch'),
    dnsOptions: host.texts('DnsOptions'),
    extraHosts: host.texts('ExtraHosts').map(checkedExtraHost),
    links: [],
    macAddress: null,
  };
}

function networkMode(text: string): NetworkMode {
  if (text === 'default' || text === 'bridge') return 'network';
  if (text === 'host' || text === 'none') return text;
  throw invalidNetwork(text);
}

function invalidNetwork(name: string): Error {
  return notImplemented(
    `network ${name}: only bridge, host and none are there yet in this version of the Skiff engine`,
  );
}

function checkedExtraHost(text: string): string {
  const at = text.indexOf(':');
  if (at < 1 || at === text.length - 1) throw invalid(`invalid extra host: ${text}: expected name:address`);
  return text;
}
