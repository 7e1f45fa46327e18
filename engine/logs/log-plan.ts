/** Where a container's output is kept or sent. */
export type LogPlan = LogFilePlan | SyslogPlan | JournaldPlan | { readonly driver: 'none' };

export type LogDriver = LogPlan['driver'];
export const logDrivers: readonly LogDriver[] = ['json-file', 'local', 'syslog', 'journald', 'none'];

export interface LogFilePlan {
  /** Both are files in docker's json-file format; those of `local` are for this engine alone to read. */
  readonly driver: 'json-file' | 'local';
  /** Absolute path of the newest file; older ones are `<path>.1`, `<path>.2`, … or `<path>.1.gz`, … */
  readonly path: string;
  /** A file that would grow beyond this is rotated. */
  readonly maxSizeBytes: number;
  /** How many files there are at most, the newest included; at least 1. */
  readonly maxFiles: number;
  /** Whether rotated files are compressed. Default false. */
  readonly compresses?: boolean;
  /** Stand in each record: labels, variables and tag that were asked for. Default none. */
  readonly attributes?: Readonly<Record<string, string>>;
}

export interface SyslogPlan {
  readonly driver: 'syslog';
  readonly target: SyslogTarget;
  readonly format: 'rfc3164' | 'rfc5424' | 'rfc5424micro';
  /** 0 kern to 23 local7. */
  readonly facility: number;
  readonly tag: string;
  /** What is sent can be read here too; null: it cannot. */
  readonly cache: LogFilePlan | null;
}

export type SyslogTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'udp' | 'tcp'; readonly host: string; readonly port: number };

export interface JournaldPlan {
  readonly driver: 'journald';
  /** `CONTAINER_ID`, …: the same for every entry. */
  readonly fields: Readonly<Record<string, string>>;
  readonly cache: LogFilePlan | null;
}

/** The files in which the engine can read what a container wrote; null when there are none. */
export function readableFiles(plan: LogPlan): LogFilePlan | null {
  switch (plan.driver) {
    case 'json-file':
    case 'local':
      return plan;
    case 'syslog':
    case 'journald':
      return plan.cache;
    case 'none':
      return null;
  }
}
