import { fileURLToPath } from 'node:url';

/** The tree program beside this file, as it is run from source. A bundle names its own. */
export const treesProgram = fileURLToPath(new URL('./trees.worker.ts', import.meta.url));
