/**
 * The firewall of an engine, as text for nftables: one table of our own. What happens to a packet is decided by maps that
 * are keyed by interface, address or host port: a network adds three chains and the elements that lead to them, a container adds
 * elements alone, each in one transaction, however many there are. Pure; `ruleset.golden.nft` shows the whole. Nothing
 * here touches or depends on a table of somebody else.
 */
import { createHash } from 'node:crypto';
import { type EndpointPlan, gatewayEndpoint } from './plan.ts';

export interface RulesetFacts {
  readonly engineId: string;
  /**
   * Interfaces between which nothing was forwarded before this engine switched forwarding on; it stays so, else
   * starting an engine would turn a computer with two networks into a router between them.
   */
  readonly closedLinks: { readonly ipv4: readonly string[]; readonly ipv6: readonly string[] };
}

/** A bridge as the firewall sees it. */
export interface NetworkRules {
  readonly bridgeName: string;
  /** `172.17.0.0/16`, `fd00::/64`; null: none of that family. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Containers appear outside under the host's address. */
  readonly hasMasquerade: boolean;
  /** Containers of the network reach each other. */
  readonly hasIcc: boolean;
  readonly isInternal: boolean;
  /** Who can route to a container reaches all of its ports. */
  readonly isUnprotected: { readonly ipv4: boolean; readonly ipv6: boolean };
}

export function tableName(engineId: string): string {
  return `skiff-${createHash('sha256').update(engineId).digest('hex').slice(0, 8)}`;
}

/** Puts the table in place of whatever stands there under its name, with `networks` and the elements of `plans`, at once. */
export function wholeTable(
  facts: RulesetFacts,
  content: { readonly networks: Iterable<NetworkRules>; readonly plans: Iterable<EndpointPlan> },
): string {
  const table = tableName(facts.engineId);
  return [
    `table inet ${table}`,
    `delete table inet ${table}`,
    tableBody(facts, table),
    ...[...content.networks].map((network) => addNetwork(facts, network).trimEnd()),
    ...[...content.plans].map((plan) => addPlan(facts, plan).trimEnd()).filter((text) => text !== ''),
    '',
  ].join('\n');
}

/** Its chains, and what leads to them. */
export function addNetwork(facts: RulesetFacts, network: NetworkRules): string {
  const table = tableName(facts.engineId);
  const chains = chainsOf(network).map(({ name, rules }) =>
    [`add chain inet ${table} ${name}`, ...rules.map((rule) => `add rule inet ${table} ${name} ${rule}`)].join('\n'),
  );
  return lines([...chains, ...networkElements(network).map((element) => elementCommand('add', facts, element))]);
}

export function deleteNetwork(facts: RulesetFacts, network: NetworkRules): string {
  const table = tableName(facts.engineId);
  return lines([
    ...networkElements(network).map((element) => elementCommand('delete', facts, element)),
    ...chainsOf(network).flatMap(({ name }) => [
      `flush chain inet ${table} ${name}`,
      `delete chain inet ${table} ${name}`,
    ]),
  ]);
}

export function addPlan(facts: RulesetFacts, plan: EndpointPlan): string {
  return lines(planElements(plan).map((element) => elementCommand('add', facts, element)));
}

export function deletePlan(facts: RulesetFacts, plan: EndpointPlan): string {
  return lines(planElements(plan).map((element) => elementCommand('delete', facts, element)));
}

export function deleteTable(engineId: string): string {
  const table = `inet ${tableName(engineId)}`;
  return `table ${table}\ndelete table ${table}\n`;
}

interface Element {
  readonly map: string;
  readonly key: string;
  /** Absent in sets. */
  readonly value?: string;
}

function planElements(plan: EndpointPlan): readonly Element[] {
  const target = { ipv4: gatewayEndpoint(plan, 4)?.ipv4?.address, ipv6: gatewayEndpoint(plan, 6)?.ipv6?.address };
  return plan.ports.flatMap(({ protocol, hostAddress, hostPort, port }): Element[] => {
    const isIpv6 = hostAddress.includes(':');
    const address = isIpv6 ? target.ipv6 : target.ipv4;
    // What reaches the host by a family that the container has not goes through the engine, not through the kernel.
    if (address === undefined) return [];
    const value = `${address} . ${port}`;
    const suffix = isIpv6 ? '-6' : '';
    if (hostAddress === '0.0.0.0' || hostAddress === '::')
      return [{ map: `published-anywhere${suffix}`, key: `${protocol} . ${hostPort}`, value }];
    // No packet may leave the loopback interface with the address ::1; the engine carries those.
    if (hostAddress === '::1') return [];
    const key = `${hostAddress} . ${protocol} . ${hostPort}`;
    const isLoopback = hostAddress.startsWith('127.');
    return [{ map: `published-at${suffix}`, key, value }, ...(isLoopback ? [{ map: 'loopback-only', key }] : [])];
  });
}

function networkElements(network: NetworkRules): readonly Element[] {
  const { bridgeName, ipv4, ipv6, hasMasquerade, isInternal } = network;
  const key = `"${bridgeName}"`;
  const leaves = hasMasquerade && !isInternal;
  return [
    { map: 'bridges', key },
    { map: 'from-bridge', key, value: `jump from-${bridgeName}` },
    { map: 'to-bridge', key, value: `jump to-${bridgeName}` },
    { map: 'into-bridge', key, value: `jump into-${bridgeName}` },
    ...(leaves && ipv4 !== null ? [{ map: 'masqueraded', key: ipv4 }] : []),
    ...(leaves && ipv6 !== null ? [{ map: 'masqueraded-6', key: ipv6 }] : []),
  ];
}

/** `from`, `to`: may a packet be forwarded. `into`: under which address does it arrive. */
function chainsOf(network: NetworkRules): readonly { readonly name: string; readonly rules: readonly string[] }[] {
  const { bridgeName, ipv4, ipv6, hasIcc, isInternal, isUnprotected } = network;
  const toContainers = [
    ...(hasIcc ? [`iifname "${bridgeName}" accept`] : []),
    ...(isInternal
      ? []
      : [
          'ct state established,related accept',
          'ct status dnat accept',
          ...(isUnprotected.ipv4 ? ['meta nfproto ipv4 accept'] : []),
          ...(isUnprotected.ipv6 ? ['meta nfproto ipv6 accept'] : []),
        ]),
    'drop',
  ];
  const arriving = [
    'ip saddr 127.0.0.0/8 masquerade',
    ...(ipv4 === null ? [] : [`ip saddr ${ipv4} ct status dnat masquerade`, `ip saddr ${ipv4} accept`]),
    ...(ipv6 === null ? [] : [`ip6 saddr ${ipv6} ct status dnat masquerade`, `ip6 saddr ${ipv6} accept`]),
  ];
  return [
    { name: `from-${bridgeName}`, rules: isInternal ? [`oifname != "${bridgeName}" drop`] : [] },
    { name: `to-${bridgeName}`, rules: toContainers },
    { name: `into-${bridgeName}`, rules: arriving },
  ];
}

function elementCommand(verb: 'add' | 'delete', facts: RulesetFacts, { map, key, value }: Element): string {
  const mapping = verb === 'add' && value !== undefined ? `${key} : ${value}` : key;
  return `${verb} element inet ${tableName(facts.engineId)} ${map} { ${mapping} }`;
}

function lines(commands: readonly string[]): string {
  return commands.map((command) => `${command}\n`).join('');
}

function tableBody({ closedLinks }: RulesetFacts, table: string): string {
  const elements = (names: readonly string[]): string =>
    names.length === 0 ? '' : `\n\t\telements = { ${names.map((name) => `"${name}"`).join(', ')} }`;
  return `table inet ${table} {
	map published-anywhere {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}

	map published-at {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
	}

	map published-anywhere-6 {
		type inet_proto . inet_service : ipv6_addr . inet_service
	}

	map published-at-6 {
		type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service
	}

	set loopback-only {
		type ipv4_addr . inet_proto . inet_service
	}

	set closed-links {
		type ifname${elements(closedLinks.ipv4)}
	}

	set closed-links-6 {
		type ifname${elements(closedLinks.ipv6)}
	}

	set bridges {
		type ifname
	}

	map from-bridge {
		type ifname : verdict
	}

	map to-bridge {
		type ifname : verdict
	}

	map into-bridge {
		type ifname : verdict
	}

	set masqueraded {
		type ipv4_addr
		flags interval
	}

	set masqueraded-6 {
		type ipv6_addr
		flags interval
	}

	chain guard-loopback {
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" ip daddr . meta l4proto . th dport @loopback-only drop
		iifname @bridges ip daddr 127.0.0.0/8 drop
		iifname @bridges ip saddr 127.0.0.0/8 drop
	}

	chain from-outside {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		fib daddr type local jump publish
	}

	chain from-host {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return
		fib daddr type local jump publish
	}

	chain publish {
		dnat ip to ip daddr . meta l4proto . th dport map @published-at
		meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published-anywhere
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @published-at-6
		meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published-anywhere-6
	}

	chain leaving {
		type nat hook postrouting priority srcnat; policy accept;
		oifname vmap @into-bridge
		ip saddr @masqueraded masquerade
		ip6 saddr @masqueraded-6 masquerade
	}

	chain forwarded {
		type filter hook forward priority filter; policy accept;
		iifname vmap @from-bridge
		oifname vmap @to-bridge
		meta nfproto ipv4 iifname @closed-links oifname @closed-links ct state new drop
		meta nfproto ipv6 iifname @closed-links-6 oifname @closed-links-6 ct state new drop
	}
}`;
}
