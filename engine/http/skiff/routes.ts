/** Skiff's own endpoints, below `/skiff/v1/`: outside of Docker's versions, in Skiff's words (`api/skiff-v1.yaml`). */
import { Explorer } from '../../explorer/explorer.ts';
import { explorerProgram } from '../../explorer/explorer-program.ts';
import type { Images } from '../../images/images.ts';
import type { LateNeeds } from '../late-rooms.ts';
import type { Route } from '../router.ts';
import { explorerRoutes } from './explorer.ts';

/** Loaded late: its table of routes stands in `late-rooms.ts`. */
export function skiffRoutes(
  needs: Pick<LateNeeds, 'layers' | 'owner'> & { readonly images: Images },
): readonly Route[] {
  const { images, layers, owner } = needs;
  const explorer = owner.use(new Explorer({ images, layers, program: explorerProgram }));
  return explorerRoutes({ images, explorer });
}
