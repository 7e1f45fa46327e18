import type { BlkioLimit } from './container-settings.ts';

/** A limit as the kernel takes it. */
export interface LimitFile {
  /** Below the cgroups' mount. */
  readonly file: string;
  readonly text: string;
}

/** One line for each device; those that only `other` names are set free by `none`. */
export function deviceLines(
  limits: readonly BlkioLimit[],
  other: readonly BlkioLimit[],
  none: string | number,
): readonly string[] {
  const named = new Set(limits.map(({ major, minor }) => `${major}:${minor}`));
  return [
    ...limits.map(({ major, minor, value }) => `${major}:${minor} ${value}`),
    ...other
      .map(({ major, minor }) => `${major}:${minor}`)
      .filter((device) => !named.has(device))
      .map((device) => `${device} ${none}`),
  ];
}
