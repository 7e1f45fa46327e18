/**
 * The log of one container for as long as it lives: an engine's own `follow` ends with each run of the container and with the
 * connection; this goes on through both, from where it stopped.
 */
import type { ContainerInspect } from '../../../api/containers.ts';
import type { EngineClient } from '../../../client/engine-client.ts';
import { EngineError, EngineUnreachable } from '../../../client/errors.ts';
import type { LogLine } from '../../contract/logs.ts';
import type { Clock } from '../clock.ts';
import type { ContainerList } from '../containers/container-list.ts';
import { backOffMs } from '../engines/back-off.ts';
import { desktopError } from '../failures.ts';
import { Batches } from './batches.ts';
import { LogLines } from './log-lines.ts';
import { ResumePoint } from './resume-point.ts';

export interface FollowLogOptions {
  readonly client: (machine: string) => EngineClient;
  readonly containers: ContainerList;
  readonly clock: Clock;
  /** Resolves when the engine answers again; rejects when its machine does not run. */
  readonly ready: (machine: string, signal: AbortSignal) => Promise<void>;
}

export interface FollowLog {
  readonly machine: string;
  readonly id: string;
  /** Null: all. */
  readonly tail: number | null;
  readonly follow: boolean;
}

export async function* followLog(
  options: FollowLogOptions,
  log: FollowLog,
  signal: AbortSignal,
): AsyncGenerator<{ lines: LogLine[] }> {
  const stop = new AbortController();
  const batches = new Batches();
  const reading = read({ ...options, log, batches, signal: AbortSignal.any([signal, stop.signal]) }).then(
    () => batches.end(),
    (error: unknown) => batches.end(signal.aborted ? null : desktopError(error)),
  );
  try {
    for (;;) {
      const lines = await batches.take();
      if (lines === null || signal.aborted) return;
      yield { lines };
    }
  } finally {
    stop.abort();
    batches.end();
    await reading;
  }
}

interface Reading extends FollowLogOptions {
  readonly log: FollowLog;
  readonly batches: Batches;
  readonly signal: AbortSignal;
}

async function read(reading: Reading): Promise<void> {
  const { log, signal, ready, containers, clock } = reading;
  const point = new ResumePoint();
  let failures = 0;
  let hasRead = false;
  while (!signal.aborted) {
    try {
      const before = await readRun(reading, point);
      failures = 0;
      hasRead = true;
      if (!log.follow) return;
      if ((await nextRun(containers, before, { ...log, signal })) === 'removed') return;
    } catch (error) {
      if (hasRead && error instanceof EngineError && error.statusCode === 404) return;
      if (!log.follow || !(error instanceof EngineUnreachable) || signal.aborted) throw error;
      // The engine's own line may not have noticed yet, or only logs are broken: neither is a reason to spin.
      failures += 1;
      await clock.sleep(backOffMs(failures), signal);
      await ready(log.machine, signal);
    }
  }
}

/** Reads until the engine ends the stream; resolves with the container as it was just before. */
async function readRun({ client, log, batches, signal }: Reading, point: ResumePoint): Promise<ContainerInspect> {
  const { containers } = client(log.machine);
  const inspect = await containers.inspect(log.id, { signal });
  const lines = new LogLines(inspect.Config.Tty ? 'raw' : 'framed');
  const since = point.since;
  point.resume();
  using output = await containers.logs(
    inspect.Id,
    {
      follow: log.follow,
      timestamps: true,
      ...(since === undefined ? log.tail !== null && { tail: log.tail } : { since }),
    },
    { signal },
  );
  for await (const { stream, payload } of output) await batches.put(point.unseen(lines.push(stream, payload)));
  await batches.put(point.unseen(lines.end()));
  return inspect;
}

/** Resolves when the container has been started again after the run that has been read, or is no longer there. */
function nextRun(
  list: ContainerList,
  before: ContainerInspect,
  { machine, signal }: { readonly machine: string; readonly signal: AbortSignal },
): Promise<'runs' | 'removed'> {
  const startedAt = Date.parse(before.State.StartedAt);
  return list.list.until(() => {
    const container = list.list.get({ machine, id: before.Id });
    if (!container) return 'removed';
    // Whatever its state: a short run is over before anybody sees it running.
    return container.startedAt !== null && container.startedAt !== startedAt ? 'runs' : undefined;
  }, signal);
}
