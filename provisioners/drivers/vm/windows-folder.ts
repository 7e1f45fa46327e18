import { join } from 'node:path';
import type { Computer } from './find-program.ts';

/** A folder or file of Windows itself. */
export function windowsFolder({ environment }: Computer, ...names: readonly string[]): string {
  return join(environment['SystemRoot'] ?? environment['SYSTEMROOT'] ?? 'C:\\Windows', ...names);
}
