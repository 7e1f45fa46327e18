/**
 * The kernel's switch for forwarding between interfaces, and the memory of who switched it: an engine that found it off
 * keeps traffic between the interfaces of that moment as closed as it was.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const forwardSwitch = '/proc/sys/net/ipv4/ip_forward';

/** Lets the kernel forward. Returns the interfaces to be kept closed: none when it did so before any engine asked. */
export function switchForwardingOn(options: {
  readonly execRoot: string;
  readonly linkNames: () => readonly string[];
}): readonly string[] {
  const memory = join(options.execRoot, 'closed-links.json');
  if (readFileSync(forwardSwitch, 'utf8').trim() === '1') return recall(memory);
  const closed = options.linkNames();
  // Written first: a crash in between must not leave a router open.
  writeFileSync(memory, JSON.stringify(closed), { mode: 0o600 });
  writeFileSync(forwardSwitch, '1');
  return closed;
}

/** Switches off what we switched on, unless an interface has come since: its owner may count on forwarding. */
export function switchForwardingBack(options: {
  readonly execRoot: string;
  readonly linkNames: () => readonly string[];
}): void {
  const memory = join(options.execRoot, 'closed-links.json');
  const closed = recall(memory);
  if (closed.length > 0 && options.linkNames().every((name) => closed.includes(name)))
    writeFileSync(forwardSwitch, '0');
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
