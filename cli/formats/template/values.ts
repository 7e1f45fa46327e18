/**
 * Values as Go's templates see them. What comes from the engine is JSON, where Go's programs have structs: a list that is
 * null prints as `[]` there, and a field that was left out because it is empty is still a field. `zeroOf` knows which.
 */

/** A number with more digits than a double holds, as the engine wrote it. */
export class ExactNumber {
  readonly digits: string;

  constructor(digits: string) {
    this.digits = digits;
  }

  toString(): string {
    return this.digits;
  }
}

type ZeroKind = 'nil' | 'list' | 'map' | 'text' | 'number' | 'false';

/** An empty value whose kind is known: prints as Go prints it, and is null as JSON. */
class Zero {
  readonly kind: ZeroKind;

  constructor(kind: ZeroKind) {
    this.kind = kind;
  }

  toJSON(): null | string | number | boolean {
    const values = { nil: null, list: null, map: null, text: '', number: 0, false: false } as const;
    return values[this.kind];
  }
}

const zeroNames: Readonly<Record<ZeroKind, string>> = {
  nil: 'Health Healthcheck Init OomKillDisable PidsLimit MemorySwappiness StopTimeout SizeRw SizeRootFs IPAMConfig UsageData ImageManifestDescriptor',
  list: 'Args Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps BlkioWeightDevice CapAdd CapDrop Cmd Config Devices DeviceCgroupRules DeviceRequests Dns DnsOptions DnsSearch DNSNames Aliases Entrypoint Env ExecIDs ExtraHosts GroupAdd Links MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests RepoTags SecurityOpt Shell Ulimits VolumesFrom Warnings Log',
  map: 'Annotations AuxiliaryAddresses Containers DriverOpts ExposedPorts Labels Networks Options PortBindings Ports StorageOpt Sysctls Tmpfs Volumes',
  text: 'Author CgroupParent Cgroup CgroupnsMode Comment ContainerIDFile CpusetCpus CpusetMems Domainname IpcMode Isolation MacAddress PidMode Runtime StopSignal User UTSMode UsernsMode Variant VolumeDriver WorkingDir',
  number:
    'BlkioWeight CpuPeriod CpuQuota CpuRealtimePeriod CpuRealtimeRuntime CpuShares Memory MemoryReservation MemorySwap NanoCpus OomScoreAdj RestartCount ShmSize',
  false: 'ArgsEscaped NetworkDisabled OpenStdin StdinOnce Tty',
};

/** What a field of that name is when the engine says null or nothing; undefined when that is not known. */
export function zeroOf(name: string): unknown {
  for (const [kind, names] of Object.entries(zeroNames)) {
    if (!` ${names} `.includes(` ${name} `)) continue;
    // Object.entries forgets that its keys are kinds.
    const zero = new Zero(kind as ZeroKind);
    return ['text', 'number', 'false'].includes(kind) ? zero.toJSON() : zero;
  }
  return undefined;
}

export function isZero(value: unknown): boolean {
  return value instanceof Zero;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Zero) &&
    !(value instanceof ExactNumber)
  );
}

/** A value as Go prints it: lists as `[a b]`, objects as `map[a:1 b:2]`, what is not there as `<no value>`. */
export function printed(value: unknown): string {
  if (value === null || value === undefined) return '<no value>';
  if (value instanceof Zero)
    return { list: '[]', map: 'map[]', nil: '<nil>', text: '', number: '0', false: 'false' }[value.kind];
  if (Array.isArray(value)) return `[${value.map(printed).join(' ')}]`;
  if (typeof value === 'number')
    return Number.isInteger(value) || Math.abs(value) < 1e21 ? String(value) : value.toExponential();
  if (!isRecord(value)) return String(value);
  return `map[${sortedEntries(value)
    .map(([key, entry]) => `${key}:${printed(entry)}`)
    .join(' ')}]`;
}

/** False: nothing, zero, empty text, empty lists. */
export function isTruthy(value: unknown): boolean {
  if (value instanceof Zero) return false;
  if (value instanceof ExactNumber) return true;
  if (Array.isArray(value)) return value.length > 0;
  if (isRecord(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As Go ranges over maps. */
export function sortedEntries(value: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(value)
    .filter(([, entry]) => typeof entry !== 'function')
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

/** The name of a kind in messages. */
export function kindOf(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (Array.isArray(value)) return 'list';
  switch (typeof value) {
    case 'boolean':
      return 'bool';
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float64';
    case 'string':
      return 'string';
    default:
      return 'map';
  }
}

/** JSON as Go's encoder writes it for `{{json .}}`. */
export function asJson(value: unknown, indent?: number): string {
  const exact: string[] = [];
  const text = JSON.stringify(
    value ?? null,
    (_, entry: unknown) => (entry instanceof ExactNumber ? `\u0000exact${exact.push(entry.digits) - 1}` : entry),
    indent,
  );
  return exact.length === 0
    ? text
    : text.replaceAll(/"\\u0000exact(\d+)"/g, (_, index: string) => exact[Number(index)] ?? '0');
}
