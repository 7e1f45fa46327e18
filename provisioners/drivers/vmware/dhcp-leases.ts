import { join } from 'node:path';
import { z } from 'zod';
import { readIfThere } from '../../store/atomic-file.ts';
import type { Computer } from '../vm/find-program.ts';
import { findMacLease, macLeasesFile } from '../vm/mac-leases.ts';

/** Where the DHCP server of VMware's NAT network (vmnet8) notes what it gave; everybody may read it. On newer macOS the system's own serves it. */
export function leasesFilesOf({ platform, environment }: Computer): readonly string[] {
  switch (platform) {
    case 'darwin':
      return ['/var/db/vmware/vmnet-dhcpd-vmnet8.leases', macLeasesFile];
    case 'win32':
      return [join(environment['ProgramData'] ?? 'C:\\ProgramData', 'VMware', 'vmnetdhcp.leases')];
    default:
      return ['/etc/vmware/vmnet8/dhcpd/dhcpd.leases'];
  }
}

const ipv4 = z.ipv4();

/**
 * The address that was given to a network card; null when there is none. Entries are blocks of dhcpd.leases(5): `lease ADDRESS { …
 * hardware ethernet MAC; … }`, of which a later one replaces an earlier.
 */
export function findVmwareLease(text: string, macAddress: string): string | null {
  let found: string | null = null;
  for (const [, address, block] of text.matchAll(/^lease (\S+) \{([^}]*)\}/gm)) {
    const card = /^\s*hardware ethernet ([0-9a-f:]+);/im.exec(block ?? '')?.[1];
    if (card?.toLowerCase() === macAddress && ipv4.safeParse(address).success) found = address ?? null;
  }
  return found;
}

export async function readLease(files: readonly string[], macAddress: string): Promise<string | null> {
  for (const file of files) {
    const text = (await readIfThere(file)) ?? '';
    const address = findVmwareLease(text, macAddress) ?? findMacLease(text, macAddress);
    if (address !== null) return address;
  }
  return null;
}
