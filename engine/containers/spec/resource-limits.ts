/**
 * What limits must be together and on this host. What the kernel cannot enforce is discarded with a warning, what cannot be
 * meant is refused, both in dockerd's words: clients show them, and some look for them. Pure.
 */
import { conflict, invalid } from '../../model/errors.ts';
import type { HostControls } from '../../runtime/container-settings.ts';
import type { ResourceSpec } from './spec.ts';

export interface FittedResources {
  readonly resources: ResourceSpec;
  readonly warnings: readonly string[];
}

const minMemoryBytes = 6 * 1024 * 1024;

/** For a container that is made. Throws `invalid`. */
export function fitResources(asked: ResourceSpec, controls: HostControls): FittedResources {
  const { memoryBytes, memorySwapBytes } = asked;
  const swap = memorySwapBytes ?? (memoryBytes === null || memoryBytes < 0 ? null : memoryBytes * 2);
  const withSwap = { ...asked, memorySwapBytes: swap === null || swap > 0 ? swap : -1 };
  if (memoryBytes === null && (swap ?? 0) > 0)
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  return fit(withSwap, controls);
}

/**
 * For a container whose limits change: what `asked` does not name stays. Throws `invalid` for what does not go together,
 * `conflict` for what does not go with what is there already.
 */
export function updatedResources(current: ResourceSpec, asked: ResourceSpec, controls: HostControls): FittedResources {
  const { nanoCpus, cpuPeriodUs, cpuQuotaUs, memoryBytes, memorySwapBytes } = asked;
  refuseNewProcessorLimits(current, asked);
  const isSwapTooSmall = (current.memorySwapBytes ?? -1) >= 0 && (memoryBytes ?? 0) > (current.memorySwapBytes ?? -1);
  if (isSwapTooSmall && memorySwapBytes === null) {
    throw conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  }
  const merged: ResourceSpec = {
    ...current,
    ...Object.fromEntries(Object.entries(asked).filter(([, value]) => isSaid(value))),
    // A quota of its own takes the place of --cpus, and the other way round.
    ...(nanoCpus === null ? {} : { cpuPeriodUs: null, cpuQuotaUs: null }),
    ...(cpuPeriodUs === null && cpuQuotaUs === null ? {} : { nanoCpus: null }),
    cgroupParent: current.cgroupParent,
  };
  return fit(merged, controls);
}

function isSaid(value: unknown): boolean {
  return value !== null && value !== '' && (!Array.isArray(value) || value.length > 0);
}

function refuseNewProcessorLimits(current: ResourceSpec, asked: ResourceSpec): void {
  const pairs = [
    ['cpuPeriodUs', 'CPU Period'],
    ['cpuQuotaUs', 'CPU Quota'],
  ] as const;
  for (const [field, name] of pairs) {
    if (asked.nanoCpus !== null && asked[field] === null && current[field] !== null && current[field] !== 0)
      throw conflict(`Conflicting options: Nano CPUs cannot be updated as ${name} has already been set`);
    if (asked[field] !== null && asked.nanoCpus === null && current.nanoCpus !== null)
      throw conflict(`Conflicting options: ${name} cannot be updated as NanoCPUs has already been set`);
  }
}

interface Host {
  readonly controls: HostControls;
  /** `<missing> … or the cgroup is not mounted. <effect>.` */
  warn(missing: string, effect: string): void;
  /** Any other text. */
  tell(warning: string): void;
}

/** One check: the limits as they can be. */
type Step = (limits: ResourceSpec, host: Host) => ResourceSpec;

function fit(asked: ResourceSpec, controls: HostControls): FittedResources {
  const warnings: string[] = [];
  const host: Host = {
    controls,
    warn: (missing, effect) =>
      warnings.push(`Your kernel does not support ${missing} or the cgroup is not mounted. ${effect}.`),
    tell: (warning) => warnings.push(warning),
  };
  const steps = [fitMemory, fitReservation, fitOomKiller, fitPids, fitProcessorTime, fitRealtime, fitSets, fitWeights];
  const resources = [...steps, fitRates].reduce((limits, step) => step(limits, host), asked);
  return { resources, warnings };
}

const fitMemory: Step = (limits, { controls, warn }) => {
  const { memoryBytes: memory, memorySwapBytes: swap, memorySwappiness: swappiness } = limits;
  if (memory !== null && memory < minMemoryBytes) throw invalid('Minimum memory limit allowed is 6MB');
  let fitted = limits;
  if (memory !== null && !controls.hasMemory) {
    warn('memory limit capabilities', 'Limitation discarded');
    fitted = { ...fitted, memoryBytes: null, memorySwapBytes: null };
  } else if (memory !== null && swap !== -1 && !controls.hasSwap) {
    warn('swap limit capabilities', 'Memory limited without swap');
    fitted = { ...fitted, memorySwapBytes: -1 };
  } else if (memory !== null && swap !== null && swap > 0 && swap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (swappiness !== null && !controls.hasSwappiness) {
    warn('memory swappiness capabilities', 'Memory swappiness discarded');
    fitted = { ...fitted, memorySwappiness: null };
  } else if (swappiness !== null && (swappiness < 0 || swappiness > 100)) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  return fitted;
};

const fitReservation: Step = (limits, { controls, warn }) => {
  const { memoryBytes: memory, memoryReservationBytes: reservation } = limits;
  if (reservation === null || reservation < 0) return { ...limits, memoryReservationBytes: null };
  if (!controls.hasMemory) {
    warn('memory soft limit capabilities', 'Limitation discarded');
    return { ...limits, memoryReservationBytes: null };
  }
  if (reservation < minMemoryBytes) throw invalid('Minimum memory reservation allowed is 6MB');
  if (memory !== null && memory < reservation)
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  return limits;
};

const fitOomKiller: Step = (limits, { controls, tell }) => {
  const isDisabled = limits.isOomKillDisabled;
  if (!controls.hasOomKillSwitch) {
    if (isDisabled === true) tell('Your kernel does not support OomKillDisable. OomKillDisable discarded.');
    return { ...limits, isOomKillDisabled: null };
  }
  if (isDisabled === true && limits.memoryBytes === null) {
    tell(
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    );
  }
  return { ...limits, isOomKillDisabled: isDisabled ?? false };
};

const fitPids: Step = (limits, { controls, warn }) => {
  if (limits.pidsLimit === null || limits.pidsLimit <= 0) return { ...limits, pidsLimit: null };
  if (controls.hasPids) return limits;
  warn('PIDs limit capabilities', 'PIDs limit discarded');
  return { ...limits, pidsLimit: null };
};

const fitProcessorTime: Step = (limits, { controls, warn }) => {
  const { nanoCpus, cpuPeriodUs: period, cpuQuotaUs: quota, cpuShares: shares } = limits;
  if (nanoCpus !== null && nanoCpus > 0) {
    for (const [name, value] of Object.entries({ Period: period, Quota: quota }))
      if (value !== null && value > 0)
        throw invalid(`Conflicting options: Nano CPUs and CPU ${name} cannot both be set`);
    if (!controls.hasCpuQuota)
      throw invalid(
        'NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted',
      );
  }
  const most = controls.processors;
  if (nanoCpus !== null && (nanoCpus < 0 || nanoCpus > most * 1e9))
    throw invalid(`range of CPUs is from 0.01 to ${most}.00, as there are only ${most} CPUs available`);
  if (shares !== null && shares < 0) throw invalid(`invalid CPU shares (${shares}): value must be a positive integer`);
  if (shares !== null && !controls.hasCpuShares) warn('CPU shares', 'Shares discarded');
  if ((period !== null || quota !== null) && !controls.hasCpuQuota) {
    warn('CPU CFS scheduler', 'CPU period/quota discarded');
    return { ...limits, cpuPeriodUs: null, cpuQuotaUs: null };
  }
  if (period !== null && (period < 1000 || period > 1_000_000))
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (quota !== null && quota > 0 && quota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  return controls.hasCpuShares ? limits : { ...limits, cpuShares: null };
};

const fitRealtime: Step = (limits, { controls }) => {
  const { cpuRealtimePeriodUs: period, cpuRealtimeRuntimeUs: runtime } = limits;
  if (period === null && runtime === null) return limits;
  if (!controls.hasRealtime) throw invalid('Your kernel does not support CPU real-time scheduler');
  if (period !== null && runtime !== null && runtime > period)
    throw invalid('cpu real-time runtime cannot be higher than cpu real-time period');
  return limits;
};

const fitSets: Step = (limits, { controls, warn }) => {
  const { cpusetCpus, cpusetMems } = limits;
  if (cpusetCpus === null && cpusetMems === null) return limits;
  if (controls.sets === null) {
    warn('cpuset', 'Cpuset discarded');
    return { ...limits, cpusetCpus: null, cpusetMems: null };
  }
  assertWithin('cpus', cpusetCpus, { what: 'CPUs', available: controls.sets.cpus });
  assertWithin('mems', cpusetMems, { what: 'memory nodes', available: controls.sets.mems });
  return limits;
};

function assertWithin(
  name: string,
  asked: string | null,
  host: { readonly what: string; readonly available: string },
): void {
  if (asked === null) return;
  let wanted: ReadonlySet<number>;
  try {
    wanted = parseSet(asked);
  } catch (error) {
    throw invalid(`Invalid value ${asked} for cpuset ${name}: ${error instanceof Error ? error.message : ''}`);
  }
  const available = parseSet(host.available);
  if ([...wanted].some((item) => !available.has(item)))
    throw invalid(`Requested ${host.what} are not available - requested ${asked}, available: ${host.available}`);
}

const largestInSet = 8192;

/** `0,4,3-5`. Throws what is wrong with it. */
function parseSet(text: string): ReadonlySet<number> {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? [];
    const [from, to] = [Number(first), Number(last)];
    if (first === undefined || from > to) throw new Error(`invalid format: ${text}`);
    if (to > largestInSet) throw new Error(`value of out range, maximum is ${largestInSet}`);
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return numbers;
}

const fitWeights: Step = (limits, { controls, warn }) => {
  let { blkioWeight: weight, blkioWeightDevices: devices } = limits;
  if (weight !== null && !controls.hasBlkioWeight) {
    warn('Block I/O weight', 'Weight discarded');
    weight = null;
  }
  if (weight !== null && (weight < 10 || weight > 1000)) throw invalid('Range of blkio weight is from 10 to 1000');
  if (devices.length > 0 && !controls.hasBlkioWeightDevice) {
    warn('Block I/O weight_device', 'Weight-device discarded');
    devices = [];
  }
  return { ...limits, blkioWeight: weight, blkioWeightDevices: devices };
};

const fitRates: Step = (limits, { controls, warn }) => {
  if (controls.hasBlkioRates) return limits;
  const rates = [
    ['blkioReadBps', 'BPS Block I/O read limit', 'Block I/O BPS read limit'],
    ['blkioWriteBps', 'BPS Block I/O write limit', 'Block I/O BPS write limit'],
    ['blkioReadIops', 'IOPS Block read limit', 'Block I/O IOPS read limit'],
    ['blkioWriteIops', 'IOPS Block write limit', 'Block I/O IOPS write limit'],
  ] as const;
  let fitted = limits;
  for (const [field, missing, effect] of rates) {
    if (limits[field].length === 0) continue;
    warn(missing, `${effect} discarded`);
    fitted = { ...fitted, [field]: [] };
  }
  return fitted;
};
