import { appendFileSync, renameSync, statSync } from 'node:fs';
import { isErrno } from '../store/atomic-file.ts';

/** A log of lines that never takes more than twice `limitBytes`: a full file becomes `<path>.1` in place of the one before. */
export function boundedLog(
  path: string,
  options: { readonly limitBytes: number; readonly now: () => Date },
): (line: string) => void {
  let sizeBytes = sizeOf(path);
  return (line) => {
    const text = `${options.now().toISOString()} ${line}\n`;
    if (sizeBytes + text.length > options.limitBytes && sizeBytes > 0) {
      renameSync(path, `${path}.1`);
      sizeBytes = 0;
    }
    appendFileSync(path, text, { mode: 0o600 });
    sizeBytes += Buffer.byteLength(text);
  };
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0;
    throw error;
  }
}
