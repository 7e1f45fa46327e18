import { z } from 'zod';
import { readIfThere } from '../../store/atomic-file.ts';

/** Where macOS notes which addresses its DHCP server has given to machines on its NAT network; everybody may read it. */
export const macLeasesFile = '/var/db/dhcpd_leases';

const ipv4 = z.ipv4();

/**
 * The address that was given to a network card; null when there is none. Entries are blocks of `key=value` lines between braces:
 * `hw_address=1,a:b:c:d:e:f` without leading zeros, `lease=0x…` the second at which it ends. Of several, the newest counts.
 */
export function findMacLease(text: string, macAddress: string): string | null {
  const wanted = shortMac(macAddress);
  let newest: { readonly address: string; readonly endsAt: number } | null = null;
  for (const [block] of text.matchAll(/\{[^}]*\}/g)) {
    const value = (key: string): string => new RegExp(`^\\s*${key}=(.*)$`, 'm').exec(block)?.[1]?.trim() ?? '';
    // Before the comma stands the kind of network: 1, Ethernet.
    if (shortMac(value('hw_address').replace(/^\w+,/, '')) !== wanted) continue;
    const address = value('ip_address');
    const endsAt = Number(value('lease')) || 0;
    if (ipv4.safeParse(address).success && (newest === null || endsAt >= newest.endsAt)) newest = { address, endsAt };
  }
  return newest?.address ?? null;
}

function shortMac(address: string): string {
  return address
    .toLowerCase()
    .split(':')
    .map((part) => part.replace(/^0+(?=.)/, ''))
    .join(':');
}

export async function readMacLease(file: string, macAddress: string): Promise<string | null> {
  return findMacLease((await readIfThere(file)) ?? '', macAddress);
}
