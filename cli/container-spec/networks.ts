import type { EndpointRequest } from '../../api/networks.ts';
import { csvFields, pairOf } from './csv.ts';

/** One `--network`: a name alone, or `name=backend,alias=db,ip=10.5.0.2`. */
export interface NetworkChoice {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly driverOpts: Readonly<Record<string, string>>;
  readonly linkLocalIps: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly macAddress?: string;
  readonly gwPriority?: number;
}

/** Throws RangeError in docker's words. */
export function parseNetwork(text: string): NetworkChoice {
  const plain: NetworkChoice = { name: '', aliases: [], links: [], driverOpts: {}, linkLocalIps: [] };
  const fields = csvFields(text);
  if (!/\w+=\w+(,\w+=\w+)*/.test(text)) return { ...plain, name: text };
  const choice = fields.reduce(withField, plain);
  if (choice.name === '') throw new RangeError('network name/id is not specified');
  return choice;
}

function withField(choice: NetworkChoice, field: string): NetworkChoice {
  const { key, value } = pairOf(field);
  if (value === undefined || value === '') throw new RangeError(`invalid field ${field}`);
  switch (key) {
    case 'name':
      return { ...choice, name: value };
    case 'alias':
      return { ...choice, aliases: [...choice.aliases, value] };
    case 'ip':
      return { ...choice, ip: value };
    case 'ip6':
      return { ...choice, ip6: value };
    case 'link-local-ip':
      return { ...choice, linkLocalIps: [...choice.linkLocalIps, value] };
    case 'mac-address':
      return { ...choice, macAddress: value };
    case 'driver-opt':
      return { ...choice, driverOpts: { ...choice.driverOpts, ...driverOption(value) } };
    case 'gw-priority':
      if (!/^[-+]?\d+$/.test(value)) throw new RangeError(`invalid gw-priority: invalid syntax: ${value}`);
      return { ...choice, gwPriority: Number(value) };
    default:
      throw new RangeError(`invalid field key ${key}`);
  }
}

function driverOption(text: string): Record<string, string> {
  const at = text.indexOf('=');
  if (at <= 0) throw new RangeError('invalid key value pair format in driver options');
  return { [text.slice(0, at).trim().toLowerCase()]: text.slice(at + 1).trim() };
}

/** The flags that are about the first network, from the time when there was but one. */
export interface OwnNetworkFlags {
  readonly networkAlias: readonly string[];
  readonly link: readonly string[];
  readonly linkLocalIp: readonly string[];
  readonly ip: string | undefined;
  readonly ip6: string | undefined;
  readonly macAddress: string | undefined;
}

export interface Networking {
  readonly mode: string;
  readonly endpoints: Readonly<Record<string, EndpointRequest>>;
}

/** What the networks and the flags about the first of them ask for. Throws RangeError in docker's words. */
export function networkingOf(choices: readonly NetworkChoice[], flags: OwnNetworkFlags): Networking {
  const [first = parseNetwork('default'), ...others] = choices;
  const all = [withOwnFlags(first, flags), ...others];
  if (all.some(({ name }) => isUserDefined(name)) && all.some(({ name }) => !isUserDefined(name)) && all.length > 1) {
    throw new RangeError('conflicting options: cannot attach both user-defined and non-user-defined network-modes');
  }
  const endpoints: Record<string, EndpointRequest> = {};
  for (const choice of all) {
    if (endpoints[choice.name]) throw new RangeError(`network "${choice.name}" is specified multiple times`);
    endpoints[choice.name] = endpointOf(choice);
  }
  // One network without a wish: the mode says it all.
  const isPlain = all.length === 1 && Object.keys(endpoints[first.name] ?? {}).length === 0;
  return { mode: first.name, endpoints: isPlain ? {} : endpoints };
}

function withOwnFlags(first: NetworkChoice, flags: OwnNetworkFlags): NetworkChoice {
  const conflict = (what: string): RangeError => new RangeError(`conflicting options: cannot specify both ${what}`);
  if (first.aliases.length > 0 && flags.networkAlias.length > 0)
    throw conflict('--network-alias and per-network alias');
  if (first.links.length > 0 && flags.link.length > 0) throw conflict('--link and per-network links');
  if (first.ip !== undefined && flags.ip !== undefined) throw conflict('--ip and per-network IPv4 address');
  if (first.ip6 !== undefined && flags.ip6 !== undefined) throw conflict('--ip6 and per-network IPv6 address');
  if (first.macAddress !== undefined && flags.macAddress !== undefined)
    throw conflict('--mac-address and per-network MAC address');
  if (first.linkLocalIps.length > 0 && flags.linkLocalIp.length > 0)
    throw conflict('--link-local-ip and per-network link-local IP addresses');
  const { ip = flags.ip, ip6 = flags.ip6, macAddress = flags.macAddress } = first;
  return {
    ...first,
    aliases: [...first.aliases, ...flags.networkAlias],
    // On the default bridge links are the host's settings, not the network's.
    links: isUserDefined(first.name) ? [...first.links, ...flags.link] : first.links,
    linkLocalIps: [...first.linkLocalIps, ...flags.linkLocalIp],
    ...(ip === undefined ? {} : { ip }),
    ...(ip6 === undefined ? {} : { ip6 }),
    ...(macAddress === undefined ? {} : { macAddress }),
  };
}

function endpointOf(choice: NetworkChoice): EndpointRequest {
  const { name, aliases, links, driverOpts, linkLocalIps, ip, ip6, macAddress, gwPriority } = choice;
  if (name.trim() === '') throw new RangeError('no name set for network');
  if (!isUserDefined(name)) {
    if (aliases.length > 0) throw new RangeError('network-scoped aliases are only supported for user-defined networks');
    if (links.length > 0) throw new RangeError('links are only supported for user-defined networks');
  }
  if (macAddress !== undefined && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(macAddress)) {
    throw new RangeError(`${macAddress} is not a valid mac address`);
  }
  const hasAddress = ip !== undefined || ip6 !== undefined || linkLocalIps.length > 0;
  return {
    ...(hasAddress
      ? {
          IPAMConfig: {
            ...(ip === undefined ? {} : { IPv4Address: ip }),
            ...(ip6 === undefined ? {} : { IPv6Address: ip6 }),
            ...(linkLocalIps.length > 0 ? { LinkLocalIPs: linkLocalIps } : {}),
          },
        }
      : {}),
    ...(aliases.length > 0 ? { Aliases: aliases } : {}),
    ...(links.length > 0 ? { Links: links } : {}),
    ...(macAddress === undefined ? {} : { MacAddress: macAddress }),
    ...(Object.keys(driverOpts).length > 0 ? { DriverOpts: driverOpts } : {}),
    ...(gwPriority === undefined ? {} : { GwPriority: gwPriority }),
  };
}

function isUserDefined(name: string): boolean {
  return !['default', 'bridge', 'host', 'none', 'nat'].includes(name) && !name.startsWith('container:');
}
