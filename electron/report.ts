import { inspect } from 'node:util';

/** Faults that nobody is shown go to the terminal or the log that the app was started with. */
export function report(fault: unknown): void {
  process.stderr.write(`${inspect(fault)}\n`);
}
