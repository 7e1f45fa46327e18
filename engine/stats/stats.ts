/**
 * Samples of what containers use, for all who ask. One timer for all of them, and none while nobody asks; a container that
 * several watch is read once.
 */
import { readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { CpuStats, StatsSample } from '../../api/stats.ts';
import { cgroupOf } from '../containers/oci/cgroup-of.ts';
import type { Container } from '../containers/container.ts';
import { liveState } from '../containers/state.ts';
import { formatInstant, type Instant, never } from '../model/time.ts';
import { cgroupFiles } from './cgroup-files.ts';
import { cgroupUsage, emptyBlkio, hostCpu, networkCounters } from './usage.ts';

const intervalMs = 1000;
const noCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

type Listener = (sample: StatsSample) => void;

interface Watched {
  readonly listeners: Set<Listener>;
  last: StatsSample | null;
}

export class Stats implements Disposable {
  readonly #engineName: string;
  readonly #now: () => Instant;
  readonly #watched = new Map<Container, Watched>();
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: { readonly engineName: string; readonly now: () => Instant }) {
    this.#engineName = parts.engineName;
    this.#now = parts.now;
  }

  /** One sample now, without the one before. Of a container that does not run it is empty. */
  once(container: Container): StatsSample {
    return this.#sample(container, null, readFileSync('/proc/stat', 'latin1'));
  }

  /** A sample at once and one a second from then on, as long as the container runs; while it does not, none come. */
  watch(container: Container, listener: Listener): Disposable {
    const watched = this.#watched.get(container) ?? { listeners: new Set(), last: null };
    this.#watched.set(container, watched);
    watched.listeners.add(listener);
    const first = liveState(container.state) === null ? null : this.once(container);
    watched.last ??= first;
    if (first !== null) listener(first);
    this.#timer ??= setInterval(() => this.#tick(), intervalMs);
    return {
      [Symbol.dispose]: () => {
        watched.listeners.delete(listener);
        if (watched.listeners.size === 0) this.#watched.delete(container);
        if (this.#watched.size === 0) this[Symbol.dispose]();
      },
    };
  }

  [Symbol.dispose](): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    const procStat = readFileSync('/proc/stat', 'latin1');
    for (const [container, watched] of this.#watched) {
      const isRunning = liveState(container.state) !== null;
      const sample = isRunning ? this.#sample(container, watched.last, procStat) : null;
      watched.last = sample;
      if (sample !== null) for (const listener of watched.listeners) listener(sample);
    }
  }

  #sample(container: Container, before: StatsSample | null, procStat: string): StatsSample {
    const live = liveState(container.state);
    if (live === null) return emptySample(container);
    const cgroup = cgroupOf({ engineName: this.#engineName }, container);
    const { cpu, ...usage } = cgroupUsage(cgroupFiles(cgroup), totalmem());
    return {
      name: `/${container.name}`,
      id: container.id,
      read: formatInstant(this.#now()),
      preread: before?.read ?? never,
      ...usage,
      num_procs: 0,
      cpu_stats: { ...cpu, ...hostCpu(procStat) },
      precpu_stats: before?.cpu_stats ?? noCpu,
      ...networksOf(container, live.pid),
    };
  }
}

export function emptySample(container: Container): StatsSample {
  return {
    name: `/${container.name}`,
    id: container.id,
    read: never,
    preread: never,
    pids_stats: {},
    blkio_stats: emptyBlkio(null),
    num_procs: 0,
    cpu_stats: noCpu,
    precpu_stats: noCpu,
    memory_stats: {},
  };
}

/** Nothing in the host's network: its counters are not the container's. */
function networksOf({ spec }: Container, pid: number): Pick<StatsSample, 'networks'> {
  if (spec.network.mode === 'host') return {};
  try {
    const networks = networkCounters(readFileSync(`/proc/${pid}/net/dev`, 'latin1'));
    return Object.keys(networks).length === 0 ? {} : { networks };
  } catch (error) {
    // It has ended in this moment.
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'EINVAL' || code === 'ESRCH') return {};
    throw error;
  }
}
