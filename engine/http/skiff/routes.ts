/** Skiff's own endpoints, below `/skiff/v1/`: outside of Docker's versions, in Skiff's words (`api/skiff-v1.yaml`). */
import type { Explorer } from '../../explorer/explorer.ts';
import type { Images } from '../../images/images.ts';
import type { Route } from '../router.ts';
import { explorerRoutes } from './explorer.ts';

export interface SkiffRooms {
  readonly images: Images;
  readonly explorer: Explorer;
}

export function skiffRoutes(rooms: SkiffRooms): readonly Route[] {
  return [...explorerRoutes(rooms)];
}
