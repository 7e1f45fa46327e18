import { fileURLToPath } from 'node:url';

/** The explorer program beside this file, as it is run from source. A bundle names its own. */
export const explorerProgram = fileURLToPath(new URL('./explorer.worker.ts', import.meta.url));
