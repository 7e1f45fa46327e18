/**
 * The firewall of an engine, as text for nftables: one table of our own, whose rules never change while containers come
 * and go. What changes are elements of maps, keyed by host port: one transaction a container, however many there are.
 * Pure; `ruleset.golden.nft` shows the whole. Nothing here touches or depends on a table of somebody else.
 */
import { createHash } from 'node:crypto';
import type { EndpointPlan } from './networks.ts';

export interface RulesetFacts {
  readonly engineId: string;
  readonly bridgeName: string;
  /** `172.17.0.0/16`. */
  readonly subnet: string;
  /**
   * Interfaces between which nothing was forwarded before this engine switched forwarding on; it stays so, else
   * starting an engine would turn a computer with two networks into a router between them.
   */
  readonly closedLinks: readonly string[];
}

export function tableName(engineId: string): string {
  return `skiff-${createHash('sha256').update(engineId).digest('hex').slice(0, 8)}`;
}

/** Puts the table in place of whatever stands there under its name, with the elements of `plans`, at once. */
export function wholeTable(facts: RulesetFacts, plans: Iterable<EndpointPlan>): string {
  const table = `inet ${tableName(facts.engineId)}`;
  const elements = [...plans].flatMap((plan) => elementsOf(plan));
  return [
    `table ${table}`,
    `delete table ${table}`,
    tableBody(facts, table),
    ...elements.map((element) => elementCommand('add', facts, element)),
    '',
  ].join('\n');
}

export function addPlan(facts: RulesetFacts, plan: EndpointPlan): string {
  return elementsOf(plan)
    .map((element) => `${elementCommand('add', facts, element)}\n`)
    .join('');
}

export function deletePlan(facts: RulesetFacts, plan: EndpointPlan): string {
  return elementsOf(plan)
    .map((element) => `${elementCommand('delete', facts, element)}\n`)
    .join('');
}

export function deleteTable(engineId: string): string {
  const table = `inet ${tableName(engineId)}`;
  return `table ${table}\ndelete table ${table}\n`;
}

interface Element {
  readonly map: 'published-anywhere' | 'published-at' | 'loopback-only';
  readonly key: string;
  /** Absent in sets. */
  readonly value?: string;
}

function elementsOf(plan: EndpointPlan): readonly Element[] {
  const [endpoint] = plan.endpoints;
  if (endpoint === undefined) return [];
  return plan.ports.flatMap(({ protocol, hostAddress, hostPort, port }): Element[] => {
    // IPv6 reaches a container that has IPv4 alone through the engine, not through the kernel.
    if (hostAddress.includes(':')) return [];
    const value = `${endpoint.address} . ${port}`;
    if (hostAddress === '0.0.0.0') return [{ map: 'published-anywhere', key: `${protocol} . ${hostPort}`, value }];
    const key = `${hostAddress} . ${protocol} . ${hostPort}`;
    const isLoopback = hostAddress.startsWith('127.');
    return [{ map: 'published-at', key, value }, ...(isLoopback ? [{ map: 'loopback-only', key } as const] : [])];
  });
}

function elementCommand(verb: 'add' | 'delete', facts: RulesetFacts, { map, key, value }: Element): string {
  const mapping = verb === 'add' && value !== undefined ? `${key} : ${value}` : key;
  return `${verb} element inet ${tableName(facts.engineId)} ${map} { ${mapping} }`;
}

function tableBody({ bridgeName, subnet, closedLinks }: RulesetFacts, table: string): string {
  const links = closedLinks.map((name) => `"${name}"`).join(', ');
  return `table ${table} {
	map published-anywhere {
		type inet_proto . inet_service : ipv4_addr . inet_service
	}

	map published-at {
		type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
	}

	set loopback-only {
		type ipv4_addr . inet_proto . inet_service
	}

	set closed-links {
		type ifname${links === '' ? '' : `\n\t\telements = { ${links} }`}
	}

	chain guard-loopback {
		type filter hook prerouting priority raw; policy accept;
		iifname != "lo" ip daddr . meta l4proto . th dport @loopback-only drop
		iifname "${bridgeName}" ip daddr 127.0.0.0/8 drop
		iifname "${bridgeName}" ip saddr 127.0.0.0/8 drop
	}

	chain from-outside {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		meta nfproto ipv4 fib daddr type local jump publish
	}

	chain from-host {
		type nat hook output priority -100; policy accept;
		meta nfproto ipv4 fib daddr type local jump publish
	}

	chain publish {
		dnat ip to ip daddr . meta l4proto . th dport map @published-at
		dnat ip to meta l4proto . th dport map @published-anywhere
	}

	chain leaving {
		type nat hook postrouting priority srcnat; policy accept;
		oifname != "${bridgeName}" ip saddr ${subnet} masquerade
		oifname "${bridgeName}" ip saddr 127.0.0.0/8 masquerade
		oifname "${bridgeName}" ip saddr ${subnet} ct status dnat masquerade
	}

	chain forwarded {
		type filter hook forward priority filter; policy accept;
		oifname "${bridgeName}" jump to-containers
		iifname @closed-links oifname @closed-links ct state new drop
	}

	chain to-containers {
		ct state established,related accept
		iifname "${bridgeName}" accept
		ct status dnat accept
		drop
	}
}`;
}
