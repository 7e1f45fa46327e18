/** `npm test`: sets up what is missing, then runs every suite that this computer can run (scripts/test.ts). */
import { ensureDebianPackages, ensureDependencies, runProgram } from './setup.mjs';

ensureDependencies();
ensureDebianPackages('test');
runProgram('scripts/test.ts', process.argv.slice(2));
