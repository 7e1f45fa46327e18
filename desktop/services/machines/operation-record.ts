/** What has been done to one machine so far, kept from the step reports of its operation. */
import type { StepReport } from '../../../provisioners/progress.ts';
import type { ErrorShape } from '../../contract/errors.ts';
import type { Operation, Step } from '../../contract/machines.ts';

export type Verb = Operation['verb'];

/** Times are Unix milliseconds; `endedAt` is null while it runs. */
export interface OperationRecord {
  readonly id: string;
  readonly verb: Verb;
  readonly state: Operation['state'];
  readonly startedAt: number;
  readonly endedAt: number | null;
  readonly steps: readonly StepRecord[];
  readonly error: ErrorShape | null;
}

interface StepRecord {
  readonly report: StepReport;
  readonly reportedAt: number;
}

/** `record` with a report taken in: a step stands where it began, and is known by its latest report. */
export function withReport(record: OperationRecord, report: StepReport, now: number): OperationRecord {
  const at = record.steps.findIndex((step) => step.report.step === report.step);
  const step = { report, reportedAt: now };
  return { ...record, steps: at < 0 ? [...record.steps, step] : record.steps.with(at, step) };
}

/** As a page sees it at `now`: what runs has grown older since it was last reported. */
export function operationAt(record: OperationRecord, now: number): Operation {
  const { id, verb, state, startedAt, endedAt, steps, error } = record;
  const end = endedAt ?? now;
  return {
    id,
    verb,
    state,
    startedAt,
    elapsedMs: Math.max(0, end - startedAt),
    steps: steps.map((step) => stepAt(step, end)),
    error,
  };
}

function stepAt({ report, reportedAt }: StepRecord, now: number): Step {
  const { step, title, state, fraction, detail, elapsedMs } = report;
  const sinceReportMs = state === 'running' ? Math.max(0, now - reportedAt) : 0;
  return {
    step,
    title,
    state,
    fraction: fraction === undefined ? null : Math.min(1, Math.max(0, fraction)),
    detail: detail ?? null,
    elapsedMs: Math.max(0, elapsedMs) + sinceReportMs,
  };
}

/** The step under way as one line, for a task. */
export function progressOf(record: OperationRecord): { fraction: number | null; detail: string | null } {
  const running = record.steps.findLast(({ report }) => report.state === 'running')?.report;
  if (!running) return { fraction: null, detail: null };
  const detail = running.detail === undefined ? running.title : `${running.title}: ${running.detail}`;
  return { fraction: running.fraction ?? null, detail };
}
