/** `node scripts/with-setup.mjs PROGRAM.ts [args]`: sets dependencies up, then runs the program under Node 24. */
import { ensureDependencies, runProgram } from './setup.mjs';

const [program, ...args] = process.argv.slice(2);
if (program === undefined) throw new Error('which program?');
ensureDependencies();
runProgram(program, args);
