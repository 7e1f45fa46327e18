/**
 * `SKIFF_FAULT_AT=start:begun` ends the engine with KILL the first time that it comes there: between an intent row and its
 * effect (`begun`), between the effect and the row of its outcome (`done`), or when a row is written and nobody has been told of
 * it (`running:written`). Only the tests of `test/engine/faults/` set it.
 */
export const faultVariable = 'SKIFF_FAULT_AT';

export function faultPoints(env: NodeJS.ProcessEnv, end: () => void): (point: string) => void {
  const fault = env[faultVariable];
  if (fault === undefined || fault === '') return () => undefined;
  return (point) => {
    if (point === fault) end();
  };
}
