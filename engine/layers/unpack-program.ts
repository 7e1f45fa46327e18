import { fileURLToPath } from 'node:url';

/** The unpack program beside this file, as it is run from source. A bundle names its own. */
export const unpackProgram = fileURLToPath(new URL('./unpack.worker.ts', import.meta.url));
