import type { Instant } from '../model/time.ts';
import { JsonFileWriter } from './json-file-writer.ts';
import { openJournal } from './journal.ts';
import type { LogFilePlan, LogPlan } from './log-plan.ts';
import type { LogWriter } from './log-writer.ts';
import { SentLog } from './sent-log.ts';
import { openSyslog } from './syslog.ts';

export interface LogParts {
  readonly now: () => Instant;
  /** What happens to lines later than the call that brought them. */
  readonly report: (message: string) => void;
}

/** Null for the driver `none`. Throws why the driver cannot work here: no file, no syslog, no journal. */
export function openLog(plan: LogPlan, parts: LogParts): LogWriter | null {
  const copyOf = (cache: LogFilePlan | null): LogWriter | null =>
    cache === null ? null : new JsonFileWriter(cache, parts.now);
  switch (plan.driver) {
    case 'json-file':
    case 'local':
      return new JsonFileWriter(plan, parts.now);
    case 'syslog':
      return new SentLog(openSyslog(plan, parts), copyOf(plan.cache));
    case 'journald':
      return new SentLog(openJournal(plan), copyOf(plan.cache));
    case 'none':
      return null;
  }
}
