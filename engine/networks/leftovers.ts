import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { SystemCallError } from '../kernel/libc.ts';
import { readMounts } from '../kernel/mount-table.ts';
import type { Netlink } from '../kernel/netlink.ts';
import { unpinNamespace } from '../kernel/netns.ts';
import { deleteLink, listLinks, parseLink } from '../kernel/rtnetlink.ts';

/** The host's end of an endpoint. A bridge that somebody else made may have other ports too. */
const ourPort = /^veth[0-9a-f]{11}$/;

/** Paths below `folder` to which a namespace is bound. */
export function pinnedNamespaces(folder: string): ReadonlySet<string> {
  return new Set(
    readMounts()
      .filter((entry) => entry.type === 'nsfs' && entry.target.startsWith(`${folder}/`))
      .map((entry) => entry.target),
  );
}

/** Unpins every namespace in `folder` but those in `kept`. Returns the paths of those that went. */
export function removeNamespaces(folder: string, kept: ReadonlySet<string>): readonly string[] {
  const gone = namesIn(folder)
    .map((name) => join(folder, name))
    .filter((path) => !kept.has(path));
  for (const path of gone) unpinNamespace(path);
  return gone;
}

/** Deletes every port of a bridge that has a name like ours, but those in `kept`. Returns the names of those that went. */
export function removePorts(
  netlink: Netlink,
  { bridgeIndex, kept }: { readonly bridgeIndex: number; readonly kept: ReadonlySet<string> },
): readonly string[] {
  const gone = netlink
    .read(listLinks)
    .map(parseLink)
    .filter((link) => link.masterIndex === bridgeIndex && ourPort.test(link.name) && !kept.has(link.name));
  for (const link of gone) {
    try {
      netlink.change([deleteLink(link)]);
    } catch (error) {
      // The kernel was faster: the namespace at the other end has just gone.
      if (!(error instanceof SystemCallError) || error.code !== 'ENODEV') throw error;
    }
  }
  return gone.map((link) => link.name);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
