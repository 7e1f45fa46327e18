/** `npm run bench [name...]`: sets up what is missing, then runs the benchmarks (bench/main.ts). */
import { ensureDebianPackages, ensureDependencies, runProgram } from './setup.mjs';

ensureDependencies();
ensureDebianPackages('bench');
runProgram('bench/main.ts', process.argv.slice(2));
