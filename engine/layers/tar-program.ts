import { fileURLToPath } from 'node:url';

/** The tar program beside this file, as it is run from source. A bundle names its own. */
export const tarProgram = fileURLToPath(new URL('./tar.worker.ts', import.meta.url));
