/** Resource usage of a container on the wire (source: Engine API 1.55, `GET /containers/{id}/stats`). Counters are totals since the start. */

export interface CpuStats {
  readonly cpu_usage: {
    /** Nanoseconds of processor time. */
    readonly total_usage: number;
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
    readonly percpu_usage?: readonly number[] | null;
  };
  /** Nanoseconds of processor time of the whole host. */
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data?: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number;
  /** `read`, `write`, `Read`, `Write`, …: the kernel's own spelling. */
  readonly op: string;
  readonly value: number;
}

/** Lists that the kernel does not have are empty; of a container that does not run all are null. */
export interface BlkioStats {
  readonly io_service_bytes_recursive?: readonly BlkioEntry[] | null;
  readonly io_serviced_recursive?: readonly BlkioEntry[] | null;
  readonly io_queue_recursive?: readonly BlkioEntry[] | null;
  readonly io_service_time_recursive?: readonly BlkioEntry[] | null;
  readonly io_wait_time_recursive?: readonly BlkioEntry[] | null;
  readonly io_merged_recursive?: readonly BlkioEntry[] | null;
  readonly io_time_recursive?: readonly BlkioEntry[] | null;
  readonly sectors_recursive?: readonly BlkioEntry[] | null;
}

export interface NetworkCounters {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** One sample; `precpu_stats` is the one before it, for the difference. Of a container that does not run most of it is empty. */
export interface StatsSample {
  /** With a leading slash. */
  readonly name?: string;
  readonly id?: string;
  readonly read: string;
  readonly preread: string;
  readonly pids_stats?: { readonly current?: number; readonly limit?: number } | null;
  readonly blkio_stats?: BlkioStats | null;
  readonly num_procs?: number;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly failcnt?: number;
    readonly limit?: number;
    /** The kernel's own names: cgroup v1 has `total_inactive_file`, v2 has `inactive_file`. */
    readonly stats?: Readonly<Record<string, number>>;
  };
  /** By interface; absent with `--network host` and `none`. */
  readonly networks?: Readonly<Record<string, NetworkCounters>> | null;
}
