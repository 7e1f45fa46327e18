import { PassThrough } from 'node:stream';
import type { Machine as MachineDocument, Machines } from '../../../provisioners/machines.ts';
import { DesktopError } from '../../contract/errors.ts';
import type { MachineLogSource } from '../../contract/machines.ts';
import { desktopError } from '../failures.ts';
import { followFile } from './follow-file.ts';
import { noSuchMachine, type MachineList } from './machine-list.ts';
import { TextSink } from './text-sink.ts';

export interface FollowMachineLog {
  readonly name: string;
  readonly source: MachineLogSource;
  readonly tailBytes: number;
  readonly follow: boolean;
}

/** A log of one machine: two lie on this computer, the engine's lies in the machine. Ends with the machine. */
export async function* followMachineLog(
  known: { readonly machines: Machines; readonly list: MachineList },
  log: FollowMachineLog,
  signal: AbortSignal,
): AsyncGenerator<{ text: string }> {
  const { machines, list } = known;
  const { name, source, tailBytes, follow } = log;
  if (!list.has(name)) throw noSuchMachine(name);
  const gone = new AbortController();
  using _change = list.onChange(() => {
    if (!list.has(name)) gone.abort();
  });
  const until = AbortSignal.any([signal, gone.signal]);
  const document = follow ? await untilWritten(list, name, until) : list.document(name);
  if (document === null) return;
  const path = { console: document.serialLogFile, agent: document.agentLogFile, engine: document.engineLogFile }[
    source
  ];
  if (path === null) return;
  const pieces =
    source === 'engine'
      ? readInMachine(machines, { name, path, tailBytes, follow, signal: until })
      : followFile({ path, tailBytes, follow, signal: until });
  for await (const text of pieces) yield { text };
}

/** The machine's document, also when it is only being made; null when that comes to nothing. */
async function untilWritten(list: MachineList, name: string, signal: AbortSignal): Promise<MachineDocument | null> {
  return list
    .until(() => list.document(name) ?? undefined, signal)
    .catch((error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    });
}

interface ReadInMachine {
  readonly name: string;
  readonly path: string;
  readonly tailBytes: number;
  readonly follow: boolean;
  readonly signal: AbortSignal;
}

async function* readInMachine(
  machines: Machines,
  { name, path, tailBytes, follow, signal }: ReadInMachine,
): AsyncGenerator<string> {
  const stop = new AbortController();
  const stdout = new PassThrough({ encoding: 'utf8' });
  const stderr = new TextSink();
  const running = machines.run(name, {
    // By name, so that it is found again when the engine has begun a new file.
    command: `tail -c ${tailBytes} ${follow ? '-F ' : ''}'${path.replaceAll("'", `'\\''`)}'`,
    stdin: null,
    stdout,
    stderr,
    terminal: null,
    signal: AbortSignal.any([signal, stop.signal]),
  });
  running.then(
    () => stdout.end(),
    (error: unknown) => stdout.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  try {
    for await (const text of stdout) yield String(text);
    const { exitCode } = await running;
    if (exitCode !== 0)
      throw new DesktopError('internal', `${path} cannot be read in the machine: ${stderr.text.trim()}`);
  } catch (error) {
    if (!signal.aborted) throw desktopError(error);
  } finally {
    stop.abort();
    // It ends with its signal; why is known by then.
    await running.catch(() => undefined);
  }
}
