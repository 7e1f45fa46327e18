/** Parts of /proc and /sys that tell or change what is the host's (source: moby's default spec). */

/** Hidden from a container; in docker's order, since they are shown. */
export const defaultMaskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

/** Hidden too, one for each processor: how often it was slowed down tells what others do. */
export function thermalPaths(cpuCount: number): readonly string[] {
  return Array.from({ length: cpuCount }, (_, cpu) => `/sys/devices/system/cpu/cpu${cpu}/thermal_throttle`);
}

export const defaultReadonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];
