import type { EngineClient } from '../../../client/engine-client.ts';
import type { Machines } from '../../../provisioners/machines.ts';
import type { Usage } from '../../contract/machines.ts';
import { DesktopError } from '../../contract/errors.ts';
import { TextSink } from './text-sink.ts';

/** What a running machine uses of its disk and memory. The engine knows where its data lies, the machine's system the rest. */
export async function machineUsage(
  name: string,
  known: { readonly machines: Machines; readonly client: EngineClient; readonly signal: AbortSignal },
): Promise<Usage> {
  const { machines, client, signal } = known;
  const { DockerRootDir: root, OperatingSystem: system, KernelVersion: kernel } = await client.info({ signal });
  const stdout = new TextSink();
  const stderr = new TextSink();
  const { exitCode } = await machines.run(name, {
    command: `df -Pk '${root.replaceAll("'", `'\\''`)}' && cat /proc/meminfo`,
    stdin: null,
    stdout,
    stderr,
    terminal: null,
    signal,
  });
  if (exitCode !== 0) throw new DesktopError('internal', `The machine cannot say what it uses: ${stderr.text.trim()}`);
  return { ...parseUsage(stdout.text), system, kernel };
}

/** Of what `df -Pk` (POSIX: KiB, one line a file system) and /proc/meminfo say, one after the other. */
export function parseUsage(text: string): Pick<Usage, 'disk' | 'memory'> {
  const [, total, used] = /^\S.*?\s(\d+)\s+(\d+)\s+\d+\s+\d+%\s/m.exec(text) ?? [];
  const [, memory] = /^MemTotal:\s+(\d+) kB/m.exec(text) ?? [];
  const [, available] = /^MemAvailable:\s+(\d+) kB/m.exec(text) ?? [];
  if (total === undefined || used === undefined || memory === undefined || available === undefined)
    throw new DesktopError('internal', `The machine's answer about what it uses makes no sense: ${text.slice(0, 200)}`);
  return {
    disk: { usedBytes: kibibytes(used), totalBytes: kibibytes(total) },
    memory: { usedBytes: kibibytes(memory) - kibibytes(available), totalBytes: kibibytes(memory) },
  };
}

function kibibytes(digits: string): number {
  return Number(digits) * 1024;
}
