/** What differs between two runs of one engine is made equal: ids, times, addresses, ports, process ids, sizes. */

/** Ids in the order in which an engine showed them first: the same thing has the same number on both engines. */
export class Names {
  readonly #prefix: string;
  readonly #ids = new Map<string, string>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  text(text: string): string {
    return (
      text
        .replaceAll(this.#prefix, '@')
        .replace(/\b[0-9a-f]{64}\b/g, (id) => this.#id(id))
        .replace(/\b[0-9a-f]{12}\b/g, (id) => this.#short(id))
        .replace(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?(Z|[+-]\d\d:?\d\d))?( [A-Z]{3,4})?/g, (time) =>
          time.startsWith('0001-') ? '<never>' : '<time>',
        )
        .replace(/\b[0-9a-f]{2}(:[0-9a-f]{2}){5}\b/g, '<mac>')
        .replace(/\b(172\.\d+|10\.\d+|192\.168)\.\d+\.\d+\b/g, '<address>')
        .replace(/\bf[cd][0-9a-f]{2}:[0-9a-f:]+/g, '<address>')
        // Which default pool is free depends on the host.
        .replace(/<address>\/(16|20)\b/g, '<subnet>')
        .replace(/\b(3[2-9]|[45]\d|60)\d{3}\b/g, '<port>')
        .replace(
          /(Up|Exited \(\d+\)|Created|Restarting \(\d+\)) (Less than a second|About an? \w+|\d+ \w+)/g,
          '$1 <while>',
        )
        .replace(
          /\b(Less than a second|About an? (minute|hour)|\d+ (second|minute|hour|day|week)s?) ago/g,
          '<while> ago',
        )
        .replace(/\/tmp\/(skiff-engine|bench-dockerd)-\w+/g, '<root>')
        .replace(/\b\d+\.\d{3}\b/g, '<number>')
        .replace(/(eth\d@if)\d+/g, '$1<index>')
        .replace(/\/[a-z]+_[a-z]+\b/g, '/<made-up>')
        .replace(/ {2,}/g, '  ')
    );
  }

  /** By key where the value says nothing of the engine's behaviour, else by text. */
  json(value: unknown, key = ''): unknown {
    if (Array.isArray(value)) return value.map((item) => this.json(item, key));
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(
        Object.entries(value)
          .map(([name, item]) => [this.text(name), this.json(item, name)] as const)
          .toSorted(([a], [b]) => (a < b ? -1 : 1)),
      );
    }
    if (value !== null && value !== undefined && variable.has(key)) return `<${key}: ${typeof value}>`;
    return typeof value === 'string' ? this.text(value) : value;
  }

  #id(id: string): string {
    const known = this.#ids.get(id);
    if (known !== undefined) return known;
    const name = `<id ${this.#ids.size + 1}>`;
    this.#ids.set(id, name);
    return name;
  }

  #short(short: string): string {
    for (const [id, name] of this.#ids) if (id.startsWith(short)) return name.replace('<id', '<short');
    return '<short>';
  }
}

/** Keys whose values are this moment's or this engine's own. */
const variable = new Set([
  'Pid',
  'Created',
  'CreatedAt',
  'StartedAt',
  'FinishedAt',
  'time',
  'timeNano',
  'read',
  'preread',
  'HostnamePath',
  'HostsPath',
  'ResolvConfPath',
  'LogPath',
  'SandboxKey',
  'SandboxID',
  'EndpointID',
  'LowerDir',
  'MergedDir',
  'UpperDir',
  'WorkDir',
  'Mountpoint',
  'SizeRw',
  'SizeRootFs',
  'execDuration',
  'Start',
  'End',
]);

/** Places at which two values differ, as paths: `.State.Health`. */
export function differences(ours: unknown, theirs: unknown, at = ''): readonly string[] {
  if (Object.is(ours, theirs)) return [];
  if (isObject(ours) && isObject(theirs)) {
    const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)]);
    return [...keys].flatMap((key) => differences(ours[key], theirs[key], `${at}.${key}`));
  }
  if (Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length)
    return ours.flatMap((item, index) => differences(item, theirs[index], `${at}[${index}]`));
  return [`${at}: skiffd ${JSON.stringify(ours)}, dockerd ${JSON.stringify(theirs)}`];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
