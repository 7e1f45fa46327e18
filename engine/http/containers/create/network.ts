/** `NetworkMode`, `NetworkingConfig`, ports and names. */
import { isIP } from 'node:net';
import type { CreateRequest } from '../../../containers/spec/create-request.ts';
import { endpointOf } from '../../../containers/network/endpoints.ts';
import { splitExtraHost } from '../../../containers/network/hosts-file.ts';
import type { EndpointSpec, NetworkMode } from '../../../containers/spec/spec.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';
import { exposedPort, publishedPorts } from '../ports.ts';
import type { FindContainer } from './security.ts';

export function readNetwork(config: Fields, host: Fields, find: FindContainer): CreateRequest['network'] {
  const { mode, shownMode } = networkMode(host.text('NetworkMode'), find);
  const published = publishedPorts(host.object('PortBindings'));
  refuseConflicts({ mode, config, host });
  const macAddress = mainNetworkMac(shownMode, config.text('MacAddress'));
  return {
    mode,
    shownMode,
    endpoints: mode === 'network' ? readEndpoints(config, { shownMode, macAddress }) : [],
    isDisabled: config.flag('NetworkDisabled'),
    exposed: config.keys('ExposedPorts').flatMap(exposedPort),
    published: mode === 'network' ? published : [],
    publishesAll: host.flag('PublishAllPorts'),
    dns: host.texts('Dns'),
    dnsSearch: host.texts('DnsSearch'),
    dnsOptions: host.texts('DnsOptions'),
    extraHosts: host.texts('ExtraHosts').map(checkedExtraHost),
    links: host.texts('Links'),
    macAddress: mode === 'network' ? macAddress : null,
  };
}

/** One of `EndpointsConfig`, also the body of a connect. Throws `invalid` in docker's words. */
export function readEndpoint(network: string, fields: Fields): EndpointSpec {
  const ipam = fields.object('IPAMConfig');
  return {
    ...endpointOf(network),
    aliases: fields.texts('Aliases'),
    links: fields.texts('Links'),
    ipv4Address: ipam.text('IPv4Address') || null,
    ipv6Address: ipam.text('IPv6Address') || null,
    linkLocalAddresses: ipam.texts('LinkLocalIPs'),
    macAddress: macOf(fields.text('MacAddress')),
    driverOptions: fields.textMap('DriverOpts'),
    gatewayPriority: fields.integer('GwPriority') ?? 0,
  };
}

/** The one that `--network` names comes first, so that it is eth0; a client that names networks names all of them. */
function readEndpoints(
  config: Fields,
  main: { readonly shownMode: string; readonly macAddress: string | null },
): readonly EndpointSpec[] {
  const given = config.object('NetworkingConfig').object('EndpointsConfig');
  const isMain = (network: string): boolean => network === main.shownMode;
  const endpoints = given.names().map((network) => {
    if (given.raw(network) === null) throw invalid(`invalid config for network ${network}: EndpointsConfig is nil`);
    try {
      return readEndpoint(network, given.object(network));
    } catch (error) {
      throw invalid(`invalid config for network ${network}: ${error instanceof Error ? error.message : String(error)}`);
    }
  });
  const all = endpoints.length > 0 ? endpoints : [endpointOf(main.shownMode)];
  const withMac = all.map((endpoint) =>
    isMain(endpoint.network) ? { ...endpoint, macAddress: mainMac(endpoint.macAddress, main.macAddress) } : endpoint,
  );
  return [...withMac.filter(({ network }) => isMain(network)), ...withMac.filter(({ network }) => !isMain(network))];
}

function mainNetworkMac(network: string, text: string): string | null {
  try {
    return macOf(text);
  } catch (error) {
    throw invalid(`invalid config for network ${network}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function mainMac(own: string | null, ofContainer: string | null): string | null {
  if (own !== null && ofContainer !== null && own !== ofContainer)
    throw invalid(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  return own ?? ofContainer;
}

function networkMode(text: string, find: FindContainer): { readonly mode: NetworkMode; readonly shownMode: string } {
  if (text === '' || text === 'default') return { mode: 'network', shownMode: 'bridge' };
  if (text === 'host' || text === 'none') return { mode: text, shownMode: text };
  if (!text.startsWith('container:')) return { mode: 'network', shownMode: text };
  const reference = text.slice('container:'.length);
  if (reference === '') throw invalid('invalid network mode: invalid container format container:<name|id>');
  const container = find(reference) ?? reference;
  return { mode: { container }, shownMode: `container:${container}` };
}

/** What a container cannot have of its own when it has another's network (source: docker run reference). */
function refuseConflicts(asked: { readonly mode: NetworkMode; readonly config: Fields; readonly host: Fields }): void {
  const { mode, config, host } = asked;
  if (mode === 'host' && host.texts('Links').length > 0)
    throw invalid(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  if (typeof mode !== 'object') return;
  const conflicts: readonly (readonly [boolean, string])[] = [
    [config.text('Hostname') !== '', 'hostname and the network mode'],
    [
      host.texts('Links').length > 0,
      "container type network can't be used with links. This would result in undefined behavior",
    ],
    [host.texts('Dns').length > 0, 'dns and the network mode'],
    [host.texts('ExtraHosts').length > 0, 'custom host-to-IP mapping and the network mode'],
    [
      host.object('PortBindings').names().length > 0 || host.flag('PublishAllPorts'),
      'port publishing and the container type network mode',
    ],
    [config.keys('ExposedPorts').length > 0, 'port exposing and the container type network mode'],
  ];
  const found = conflicts.find(([isAsked]) => isAsked);
  if (found !== undefined) throw invalid(`conflicting options: ${found[1]}`);
}

/** In the form in which the kernel shows it; null for none. */
function macOf(text: string): string | null {
  if (text === '') return null;
  const digits = text.toLowerCase().replaceAll(/[:.-]/g, '');
  if (!/^[0-9a-f]{12}$/.test(digits)) throw invalid(`invalid MAC address ${text}`);
  return digits.replaceAll(/(..)(?=.)/g, '$1:');
}

/** `name:address`, `name=address` or `name:host-gateway`. */
function checkedExtraHost(text: string): string {
  const { name, address } = splitExtraHost(text);
  if (name === '' || address === '' || !/[:=]/.test(text)) throw invalid(`bad format for add-host: "${text}"`);
  if (address !== 'host-gateway' && isIP(address) === 0) throw invalid(`invalid IP address in add-host: "${address}"`);
  return text;
}
