/**
 * The kernel's switches for forwarding between interfaces, and the memory of who switched them: an engine that found one off
 * keeps traffic between the interfaces of that moment as closed as it was.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const switches = {
  ipv4: { path: '/proc/sys/net/ipv4/ip_forward', memory: 'closed-links.json' },
  ipv6: { path: '/proc/sys/net/ipv6/conf/all/forwarding', memory: 'closed-links-6.json' },
} as const;

export type ForwardingFamily = keyof typeof switches;

interface ForwardingRequest {
  readonly execRoot: string;
  readonly family: ForwardingFamily;
  readonly linkNames: () => readonly string[];
}

/** Lets the kernel forward. Returns the interfaces to be kept closed: none when it did so before any engine asked. */
export function switchForwardingOn({ execRoot, family, linkNames }: ForwardingRequest): readonly string[] {
  const memory = join(execRoot, switches[family].memory);
  const { path } = switches[family];
  // A kernel without IPv6 has no network with IPv6 either: its bridge cannot have the address.
  if (!existsSync(path)) return [];
  if (readFileSync(path, 'utf8').trim() === '1') return recall(memory);
  const closed = linkNames();
  // Written first: a crash in between must not leave a router open.
  writeFileSync(memory, JSON.stringify(closed), { mode: 0o600 });
  if (family === 'ipv6') keepListening(execRoot, closed);
  writeFileSync(path, '1');
  return closed;
}

const listeners = 'listening-links.json';

/**
 * A host that forwards IPv6 passes over the announcements of routers, unless it is told otherwise: without this, the host
 * would lose its own way out when its address runs out.
 */
function keepListening(execRoot: string, links: readonly string[]): void {
  const changed = links.filter((name) => readSwitch(announcements(name)) === '1');
  writeFileSync(join(execRoot, listeners), JSON.stringify(changed), { mode: 0o600 });
  for (const name of changed) writeFileSync(announcements(name), '2');
}

function listenAsBefore(execRoot: string): void {
  const memory = join(execRoot, listeners);
  for (const name of recall(memory))
    if (readSwitch(announcements(name)) === '2') writeFileSync(announcements(name), '1');
  rmSync(memory, { force: true });
}

function announcements(link: string): string {
  return `/proc/sys/net/ipv6/conf/${link}/accept_ra`;
}

/** Null: the interface is gone, or has no IPv6. */
function readSwitch(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : null;
}

/** Switches off what we switched on, unless an interface has come since: its owner may count on forwarding. */
export function switchForwardingBack({ execRoot, family, linkNames }: ForwardingRequest): void {
  const memory = join(execRoot, switches[family].memory);
  const closed = recall(memory);
  if (closed.length > 0 && linkNames().every((name) => closed.includes(name))) {
    writeFileSync(switches[family].path, '0');
    if (family === 'ipv6') listenAsBefore(execRoot);
  }
  rmSync(memory, { force: true });
}

function recall(memory: string): readonly string[] {
  let text: string;
  try {
    text = readFileSync(memory, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  const names: unknown = JSON.parse(text);
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
    throw new Error(`${memory} is no list of interfaces; remove it and start again`);
  return names;
}
