/** `/etc/hosts` of a container, as text. Pure. */
import type { EndpointPlan } from '../../networks/networks.ts';
import type { ContainerSpec } from '../spec/spec.ts';

const localIpv4 = '127.0.0.1\tlocalhost';
const localIpv6 = [
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::\tip6-localnet',
  'ff00::\tip6-mcastprefix',
  'ff02::1\tip6-allnodes',
  'ff02::2\tip6-allrouters',
];

export interface HostsFacts {
  readonly spec: Pick<ContainerSpec, 'hostname' | 'domainname' | 'network' | 'sysctls'>;
  readonly plan: Pick<EndpointPlan, 'endpoints'>;
  /** What `host-gateway` stands for: the default bridge, which is the host. */
  readonly hostGateway: string;
  readonly linked: readonly LinkedHost[];
}

/** A container of the default bridge that this one is linked to. */
export interface LinkedHost {
  readonly address: string;
  readonly alias: string;
  readonly name: string;
  readonly hostname: string;
}

export function hostsText(facts: HostsFacts): string {
  const { spec, plan, linked } = facts;
  const isIpv6Off = spec.sysctls['net.ipv6.conf.all.disable_ipv6'] === '1';
  const lines = [
    localIpv4,
    ...(isIpv6Off ? [] : localIpv6),
    ...extraLines(facts),
    ...linked.map(linkedLine),
    ...ownLines(spec, plan),
  ];
  return `${lines.join('\n')}\n`;
}

/** The file after its owner's networks have changed: nothing but its own lines is touched, the program may have written others. */
export function changedHostsText(
  text: string,
  { spec, before, after }: { spec: HostsFacts['spec']; before: HostsFacts['plan']; after: HostsFacts['plan'] },
): string {
  const lines = text.split('\n');
  const kept = ownLines(spec, after);
  for (const gone of ownLines(spec, before).filter((line) => !kept.includes(line))) {
    const at = lines.indexOf(gone);
    if (at !== -1) lines.splice(at, 1);
  }
  const added = kept.filter((line) => !lines.includes(line));
  if (lines.at(-1) === '') lines.pop();
  return `${[...lines, ...added].join('\n')}\n`;
}

/** The file after a container that it is linked to has got another address. */
export function changedLinkText(text: string, linked: LinkedHost): string {
  const line = linkedLine(linked);
  const names = line.slice(line.indexOf('\t'));
  return text
    .split('\n')
    .map((old) => (old.endsWith(names) && old.indexOf('\t') === old.length - names.length ? line : old))
    .join('\n');
}

/** `name:address` and `name=address`, as `--add-host` takes both; an address may have brackets. */
export function splitExtraHost(entry: string): { readonly name: string; readonly address: string } {
  const at = entry.search(/[:=]/);
  return { name: entry.slice(0, at), address: entry.slice(at + 1).replace(/^\[(.*)\]$/, '$1') };
}

function extraLines({ spec, hostGateway }: HostsFacts): readonly string[] {
  return spec.network.extraHosts
    .map(splitExtraHost)
    .map(({ name, address }) => `${address === 'host-gateway' ? hostGateway : address}\t${name}`);
}

/** The host name comes once: docker leaves out the name that the alias says already, and nothing else. */
function linkedLine({ address, alias, name, hostname }: LinkedHost): string {
  return `${address}\t${alias} ${hostname}${alias === name ? '' : ` ${name}`}`;
}

function ownLines({ hostname, domainname }: HostsFacts['spec'], { endpoints }: HostsFacts['plan']): readonly string[] {
  const names = domainname === '' ? hostname : `${hostname}.${domainname} ${hostname}`;
  return endpoints
    .flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6])
    .flatMap((one) => (one === null ? [] : [`${one.address}\t${names}`]));
}
