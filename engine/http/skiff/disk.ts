/** The truth about the disk, and what may go (`api/skiff-v1.yaml`). */
import type { SkiffReclaimable, SkiffReclaimed } from '../../../api/skiff.ts';
import type { Parts } from '../../containers/parts.ts';
import type { Disk } from '../../disk/disk.ts';
import { invalid } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';
import { publishRemovals, usersOf } from '../images/remove.ts';
import type { Route } from '../router.ts';

const kinds: readonly SkiffReclaimable[] = ['compressed-copies', 'unfinished-downloads', 'dangling-images'];

export function diskRoutes(parts: Parts, disk: Disk): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/skiff/v1/disk',
      handle: async (exchange) => exchange.json(200, await disk.truth()),
    },
    { method: 'POST', path: '/skiff/v1/disk/reclaim', handle: (exchange) => reclaim(parts, disk, exchange) },
  ];
}

async function reclaim(parts: Parts, disk: Disk, exchange: Exchange): Promise<void> {
  const wanted = wantedKinds(exchange);
  const isDryRun = exchange.flag('dryRun');
  const users = { usersOf: usersOf(parts) };
  const planned = await disk.reclaimable(wanted, parts.images.prunable(new Map(), users));
  if (!isDryRun) {
    // Images first: what only they needed of the copies goes with them.
    if (wanted.includes('dangling-images')) publishRemovals(parts, await parts.images.prune(new Map(), users));
    if (wanted.includes('compressed-copies')) await parts.content.collect({ isSparing: true });
    if (wanted.includes('unfinished-downloads')) await parts.content.collect({ isSparing: false, isThorough: true });
  }
  const bytes = planned.reduce((sum, kind) => sum + kind.bytes, 0);
  exchange.json(200, { isDryRun, bytes, kinds: planned } satisfies SkiffReclaimed);
}

/** Nothing goes that was not named. */
function wantedKinds(exchange: Exchange): readonly SkiffReclaimable[] {
  const asked = new Set(exchange.query.getAll('kind').flatMap((text) => text.split(',')));
  const found = kinds.filter((kind) => asked.delete(kind));
  const [unknown] = asked;
  if (unknown !== undefined) throw invalid(`unknown kind "${unknown}": what may go is ${kinds.join(', ')}`);
  if (found.length === 0) throw invalid(`kind is missing: name what may go (${kinds.join(', ')})`);
  return found;
}
