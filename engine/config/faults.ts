/**
 * `SKIFF_FAULT_AT=/a/file` ends the engine with KILL when it comes to the point that the file names at that moment, `start:begun` for
 * example: between an intent row and its effect (`begun`), between the effect and the row of its outcome (`done`), or when a row is
 * written and nobody has been told of it (`running:written`). Without the file nothing happens. Only tests set it.
 */
import { existsSync, readFileSync } from 'node:fs';

export const faultVariable = 'SKIFF_FAULT_AT';

export function faultPoints(env: NodeJS.ProcessEnv, end: () => void): (point: string) => void {
  const file = env[faultVariable];
  if (file === undefined || file === '') return () => undefined;
  return (point) => {
    if (existsSync(file) && readFileSync(file, 'utf8') === point) end();
  };
}
