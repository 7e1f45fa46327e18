import type { Topic } from '../step.ts';
import { rim } from './api.ts';
import { files } from './files.ts';
import { flags } from './flags.ts';
import { images } from './images.ts';
import { lifecycle } from './lifecycle.ts';
import { networks } from './networks.ts';
import { registries } from './registries.ts';
import { streams } from './streams.ts';
import { transfers } from './transfers.ts';

export const topics: readonly Topic[] = [
  ...rim,
  ...lifecycle,
  ...streams,
  ...networks,
  ...files,
  ...flags,
  ...images,
  ...transfers,
  ...registries,
];
