import { EngineClient } from '../../../client/engine-client.ts';
import { lookAtHost } from '../../deploy/host/prepare-host.ts';
import type { HostPlace } from '../../deploy/host/host-place.ts';
import { uninstallScript } from '../../deploy/host/host-service.ts';
import type { Line } from '../../line/line.ts';
import { shellQuote } from '../../line/line.ts';

/** The engine on a host that is not ours, as its driver ends it: only what Skiff brought there is touched. */
export interface HostEngine {
  /** As the user who logs in. */
  readonly line: Line;
  /** As root. */
  readonly rootLine: Line;
  readonly place: HostPlace;
  readonly signal: AbortSignal;
}

/** Ends containers, then the engine, which stays down until it is started again. Nothing where none runs. */
export async function stopHostEngine(host: HostEngine, options: { readonly how: 'stop' | 'kill' }): Promise<void> {
  const { rootLine, place, signal } = host;
  await endContainers(host, options.how);
  const script = shellQuote(`${place.serviceFolder}/engine-stop`);
  await rootLine.check(`[ ! -x ${script} ] || ${script}`, { signal, timeoutMs: 30_000 });
}

/** Takes the engine and all that it made away; leaves alone an engine that belongs to another machine. */
export async function uninstallHostEngine(host: HostEngine, machineId: string): Promise<void> {
  const { rootLine, place, signal } = host;
  const { owner } = await lookAtHost(rootLine, { place, signal });
  if (owner?.id !== machineId) return;
  await rootLine.check(uninstallScript(place), { signal, timeoutMs: 120_000 });
}

/** Their monitor outlives the engine, so nothing else would end them. */
async function endContainers({ line, place, signal }: HostEngine, how: 'stop' | 'kill'): Promise<void> {
  const socket = place.layout.engineSocket;
  using engine = new EngineClient((dialSignal) => line.dialUnix(socket, dialSignal), { timeoutMs: 60_000 });
  try {
    await engine.ping({ signal });
  } catch {
    // It does not run, and what it left is dealt with when it is started or removed.
    signal.throwIfAborted();
    return;
  }
  const running = await engine.containers.list({}, { signal });
  await Promise.all(
    running.map(({ Id }) =>
      how === 'stop' ? engine.containers.stop(Id, {}, { signal }) : engine.containers.kill(Id, undefined, { signal }),
    ),
  );
}
