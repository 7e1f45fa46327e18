import { describeError } from '../report.ts';

export interface SecurityOptions {
  readonly options: readonly string[];
  /** `systempaths=unconfined`: nothing of /proc and /sys is masked or read-only. */
  readonly isUnmasked: boolean;
}

/** Reads `--security-opt` values; a seccomp profile that is a file is sent along. Throws RangeError in docker's words. */
export function parseSecurity(given: readonly string[], readFile: (path: string) => string): SecurityOptions {
  const options: string[] = [];
  let isUnmasked = false;
  for (const option of given) {
    const [, key = '', value] = /^([^=:]+)(?:[=:](.*))?$/s.exec(option) ?? [];
    if (value === undefined && key !== 'no-new-privileges') throw new RangeError(`Invalid --security-opt: "${option}"`);
    if (option === 'systempaths=unconfined') {
      isUnmasked = true;
    } else if (key === 'seccomp' && value !== undefined && !['builtin', 'unconfined'].includes(value)) {
      options.push(`seccomp=${profileOf(value, readFile)}`);
    } else {
      options.push(option);
    }
  }
  return { options, isUnmasked };
}

function profileOf(path: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new RangeError(`opening seccomp profile (${path}) failed: ${describeError(error)}`, { cause: error });
  }
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (error) {
    throw new RangeError(`compacting json for seccomp profile (${path}) failed: ${describeError(error)}`, {
      cause: error,
    });
  }
}
