import type { Page } from 'playwright-core';
import type { FixtureWorld } from './fixture-world.ts';

/** One picture of the page: a world, a place in it, and what is done before it is taken. */
export interface Picture {
  readonly name: string;
  readonly set: (world: FixtureWorld) => void;
  readonly hash?: string;
  readonly act?: (page: Page, world: FixtureWorld) => Promise<void>;
}
