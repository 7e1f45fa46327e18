import { fileURLToPath } from 'node:url';

/** The squash program beside this file, as it is run from source. A bundle names its own. */
export const squashProgram = fileURLToPath(new URL('./squash.worker.ts', import.meta.url));
