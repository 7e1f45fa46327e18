/** Skiff's own endpoints, below `/skiff/v1/`: outside of Docker's versions, in Skiff's words (`api/skiff-v1.yaml`). */
import { Explorer } from '../../explorer/explorer.ts';
import { Disk } from '../../disk/disk.ts';
import { explorerProgram } from '../../explorer/explorer-program.ts';
import { Snapshots } from '../../snapshots/snapshots.ts';
import { Squasher } from '../../squash/squash.ts';
import { squashProgram } from '../../squash/squash-program.ts';
import type { LateNeeds } from '../late-rooms.ts';
import type { Route } from '../router.ts';
import { diskRoutes } from './disk.ts';
import { explorerRoutes } from './explorer.ts';
import { snapshotRoutes } from './snapshots.ts';
import { squashRoutes } from './squash.ts';

/** Loaded late: its table of routes stands in `late-rooms.ts`. */
export function skiffRoutes({ parts, layers, database, reach, owner }: LateNeeds): readonly Route[] {
  const { images, events, dataRoot } = parts;
  const explorer = owner.use(new Explorer({ images, layers, program: explorerProgram }));
  const squasher = owner.use(new Squasher({ images, layers, dataRoot, reach, program: squashProgram }));
  const disk = new Disk({ ...parts, database });
  const snapshots = new Snapshots({ parts, database, explorer, layers, reach });
  return [
    ...explorerRoutes({ images, explorer }),
    ...squashRoutes({ images, events, squasher }),
    ...diskRoutes(parts, disk),
    ...snapshotRoutes(parts, snapshots),
  ];
}
