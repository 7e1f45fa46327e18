import { isAbsolute, resolve } from 'node:path';

export interface Volumes {
  /** `source:target[:modes]`, as HostConfig.Binds takes them. */
  readonly binds: readonly string[];
  /** Targets of anonymous volumes. */
  readonly anonymous: Readonly<Record<string, object>>;
}

/**
 * Reads `--volume` values: `target`, `name:target[:modes]`, `path:target[:modes]`. A path that begins with a dot is made
 * absolute from `workingDir`; a drive letter is part of its path. Whether names and targets are good the engine says. Throws RangeError.
 */
export function parseVolumes(specs: readonly string[], workingDir: string): Volumes {
  const binds: string[] = [];
  const anonymous: Record<string, object> = {};
  for (const spec of specs) {
    const [, drive = '', rest = ''] = /^([a-zA-Z]:(?=[\\/]))?(.*)$/s.exec(spec) ?? [];
    const [head = '', target, modes, ...more] = rest.split(':');
    const source = drive + head;
    if (more.length > 0 || source === '' || target === '' || modes === '')
      throw new RangeError(`invalid volume specification: '${spec}'`);
    if (target === undefined) {
      anonymous[source] = {};
      continue;
    }
    const isPath = drive !== '' || isAbsolute(source) || /^\.{1,2}([\\/]|$)/.test(source);
    const whole = isPath && drive === '' ? resolve(workingDir, source) : source;
    binds.push([whole, target, ...(modes === undefined ? [] : [modes])].join(':'));
  }
  return { binds, anonymous };
}
