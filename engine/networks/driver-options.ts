/** Options of networks and endpoints, as clients write them (source: docker network create reference); errors in dockerd's words. */
import { isIPv4 } from 'node:net';
import { internal, invalid, notImplemented } from '../model/errors.ts';

export type Options = Readonly<Record<string, string>>;

export interface BridgeOptions {
  /** Empty: made from the network's id. */
  readonly bridgeName: string;
  readonly mtu: number | null;
  readonly hasMasquerade: boolean;
  /** Containers of the network reach each other. */
  readonly hasIcc: boolean;
  /** Where ports are published when nobody names an address; null: everywhere. */
  readonly hostBinding: string | null;
  /** Per family: ports that are not published are open to whoever can route to the container. */
  readonly isUnprotected: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** `eth`. */
  readonly interfacePrefix: string;
}

export interface ParentOptions {
  /** Empty: a dummy interface of our own. */
  readonly parent: string;
  readonly mtu: number | null;
  readonly macvlanMode: 'private' | 'vepa' | 'bridge' | 'passthru';
  readonly ipvlanMode: 'l2' | 'l3' | 'l3s';
  readonly ipvlanFlag: 'bridge' | 'private' | 'vepa';
}

const bridgeKey = 'com.docker.network.bridge.';
const mtuKey = 'com.docker.network.driver.mtu';
const prefixKey = 'com.docker.network.container_iface_prefix';
const interfaceNameKey = 'com.docker.network.endpoint.ifname';
const sysctlsKey = 'com.docker.network.endpoint.sysctls';

/** dockerd's options that would be promises here. What dockerd does not know either is kept and shown. */
const notHere = [`${bridgeKey}inhibit_ipv4`, `${bridgeKey}trusted_host_interfaces`];

export function readBridgeOptions(options: Options): BridgeOptions {
  for (const key of notHere)
    if (options[key] !== undefined) throw notImplemented(`${key} is not there yet in this version of the Skiff engine`);
  const hostBinding = options[`${bridgeKey}host_binding_ipv4`] ?? '';
  if (hostBinding !== '' && !isIPv4(hostBinding))
    throw invalid(`failed to parse ${bridgeKey}host_binding_ipv4 value: ${hostBinding} (nil ip)`);
  return {
    bridgeName: interfaceName(options[`${bridgeKey}name`] ?? ''),
    mtu: mtuOf(options),
    hasMasquerade: flag(options, `${bridgeKey}enable_ip_masquerade`),
    hasIcc: flag(options, `${bridgeKey}enable_icc`),
    hostBinding: hostBinding === '' || hostBinding === '0.0.0.0' ? null : hostBinding,
    isUnprotected: { ipv4: isUnprotected(options, 'ipv4'), ipv6: isUnprotected(options, 'ipv6') },
    interfacePrefix: interfaceName(options[prefixKey] ?? '') || 'eth',
  };
}

export function readParentOptions(options: Options): ParentOptions {
  return {
    parent: interfaceName(options['parent'] ?? ''),
    mtu: mtuOf(options),
    macvlanMode: oneOf(options['macvlan_mode'] ?? '', ['bridge', 'private', 'vepa', 'passthru'], {
      what: 'macvlan mode',
      driver: 'macvlan',
    }),
    ipvlanMode: oneOf(options['ipvlan_mode'] ?? '', ['l2', 'l3', 'l3s'], { what: 'ipvlan mode', driver: 'ipvlan' }),
    ipvlanFlag: oneOf(options['ipvlan_flag'] ?? '', ['bridge', 'private', 'vepa'], {
      what: 'ipvlan flag',
      driver: 'ipvlan',
    }),
  };
}

/** The name that an endpoint asks for inside its container; null: the next free one. */
export function endpointInterfaceName(options: Options): string | null {
  const name = options[interfaceNameKey] ?? '';
  return name === '' ? null : interfaceName(name);
}

/** `net.ipv4.conf.IFNAME.log_martians=1,…` as files and values, with the name of the interface put in. Throws `invalid`. */
export function endpointSysctls(options: Options, name: string): readonly { path: string; value: string }[] {
  const text = options[sysctlsKey] ?? '';
  if (text === '') return [];
  return text.split(',').map((setting) => {
    const [key = '', value] = setting.split('=', 2);
    const parts = key.split('.');
    const isWellFormed =
      parts.length === 5 &&
      parts[0] === 'net' &&
      ['ipv4', 'ipv6', 'mpls'].includes(parts[1] ?? '') &&
      parts[3] === 'IFNAME' &&
      parts.every((part) => /^[A-Za-z0-9_]+$/.test(part));
    if (value === undefined || !isWellFormed)
      throw invalid(
        `unrecognised network interface sysctl '${setting}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
      );
    return { path: `/proc/sys/${parts.map((part) => (part === 'IFNAME' ? name : part)).join('/')}`, value };
  });
}

function isUnprotected(options: Options, family: 'ipv4' | 'ipv6'): boolean {
  const key = `${bridgeKey}gateway_mode_${family}`;
  const mode = options[key] ?? '';
  if (mode === '' || mode === 'nat') return false;
  if (mode === 'nat-unprotected') return true;
  if (mode === 'routed' || mode === 'isolated')
    throw notImplemented(`${key}=${mode} is not there yet in this version of the Skiff engine`);
  throw invalid(`invalid value for ${key}: ${mode}; expected nat or nat-unprotected`);
}

function mtuOf(options: Options): number | null {
  const text = options[mtuKey] ?? '';
  if (text === '') return null;
  if (!/^[+-]?\d+$/.test(text))
    throw invalid(`failed to parse ${mtuKey} value: ${text} (strconv.Atoi: parsing "${text}": invalid syntax)`);
  const mtu = Number(text);
  if (mtu < 0 || mtu > 65_535) throw invalid(`invalid MTU number: ${text}`);
  return mtu === 0 ? null : mtu;
}

function flag(options: Options, key: string): boolean {
  const text = options[key] ?? '';
  if (text === '' || ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(text)) return true;
  if (['0', 'f', 'F', 'FALSE', 'false', 'False'].includes(text)) return false;
  throw invalid(`failed to parse ${key} value: ${text} (strconv.ParseBool: parsing "${text}": invalid syntax)`);
}

function oneOf<Mode extends string>(
  text: string,
  modes: readonly [Mode, ...Mode[]],
  { what, driver }: { readonly what: string; readonly driver: string },
): Mode {
  if (text === '') return modes[0];
  const found = modes.find((mode) => mode === text);
  if (found !== undefined) return found;
  throw internal(`requested ${what} '${text}' is not valid, '${modes[0]}' mode is the ${driver} driver default`);
}

/** What the kernel takes as a name, and what is safe in a path and in the text of the firewall. */
function interfaceName(text: string): string {
  if (text === '') return '';
  if (Buffer.byteLength(text) > 15 || !/^[\w.-]+$/.test(text) || text === '.' || text === '..')
    throw invalid(`invalid interface name ${text}: expected at most 15 letters, digits, dots, dashes and underscores`);
  return text;
}
