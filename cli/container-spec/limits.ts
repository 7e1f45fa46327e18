import type { RestartPolicy } from '../../api/containers.ts';

/** `--cpus 1.5` as billionths of a processor. Throws RangeError. */
export function parseCpus(text: string): number {
  const [, whole = '', fraction = ''] = /^(\d*)(?:\.(\d*))?$/.exec(text) ?? [];
  if (whole + fraction === '') throw new RangeError(`failed to parse ${text} as a rational number`);
  if (fraction.replace(/0+$/, '').length > 9) throw new RangeError('value is too precise');
  return Number(whole || 0) * 1e9 + Number(fraction.slice(0, 9).padEnd(9, '0'));
}

/** `no`, `always`, `unless-stopped`, `on-failure[:times]`. Throws RangeError. */
export function parseRestartPolicy(text: string): RestartPolicy {
  const [name = '', times, ...more] = text.split(':');
  if (more.length > 0) throw new RangeError(`invalid restart policy format: ${text}`);
  switch (name) {
    case '':
      if (times !== undefined) throw new RangeError('invalid restart policy format: no policy provided before colon');
      return { Name: 'no', MaximumRetryCount: 0 };
    case 'no':
    case 'always':
    case 'unless-stopped':
      if (times !== undefined) {
        throw new RangeError(
          `invalid restart policy: maximum retry count cannot be used with restart policy '${name}'`,
        );
      }
      return { Name: name, MaximumRetryCount: 0 };
    case 'on-failure':
      if (times !== undefined && !/^\d+$/.test(times)) {
        throw new RangeError('invalid restart policy format: maximum retry count must be an integer');
      }
      return { Name: name, MaximumRetryCount: Number(times ?? 0) };
    default:
      throw new RangeError(
        `invalid restart policy: unknown policy '${name}'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'`,
      );
  }
}

/** `-1` or a size. */
export function parseSwap(text: string, parseSize: (text: string) => number): number {
  return text === '-1' ? -1 : parseSize(text);
}

/** 10 to 1000, or 0. Throws RangeError. */
export function parseWeight(text: string): number {
  if (!/^\d{1,5}$/.test(text)) throw new RangeError(`strconv.ParseUint: parsing "${text}": invalid syntax`);
  return Number(text);
}
