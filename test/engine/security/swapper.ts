/**
 * An attacker: a process that exchanges two names of a directory with each other, as fast as it can, until its input ends.
 * It says how often it did. `node swapper.ts <directory> <one> <other>`; exchanging is one system call (RENAME_EXCHANGE),
 * so that there is never a moment without either.
 */
import { constants, openSync } from 'node:fs';
import { systemCall } from '../../../engine/kernel/libc.ts';

const renameat2 = systemCall<[number, string, number, string, number]>(
  'int renameat2(int from, const char *one, int to, const char *other, unsigned int flags)',
);
const exchange = 2;

const [folder = '', one = '', other = ''] = process.argv.slice(2);
const directory = openSync(folder, constants.O_DIRECTORY);
let swaps = 0;
let isEnded = false;
process.stdin.on('end', () => (isEnded = true)).resume();

function round(): void {
  for (let count = 0; count < 200; count++) renameat2('', directory, one, directory, other, exchange);
  swaps += 200;
  if (isEnded) process.stdout.write(String(swaps), () => process.exit(0));
  else setImmediate(round);
}
process.stdout.write('swapping\n', round);
