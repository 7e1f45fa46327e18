/** `npm start`: sets up what is missing, then makes or finds the machine and opens the desktop (scripts/start.ts). */
import { ensureDebianPackages, ensureDependencies, runProgram } from './setup.mjs';

ensureDependencies();
if (!process.argv.includes('--help')) ensureDebianPackages('start');
runProgram('scripts/start.ts', process.argv.slice(2));
