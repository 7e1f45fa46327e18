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
  /** Whose engine it is to be; one that another machine has taken over since is left alone. */
  readonly machineId: string;
  readonly signal: AbortSignal;
}

/** Ends containers, then the engine, which stays down until it is started again. Nothing where none of this machine's runs. */
export async function stopHostEngine(host: HostEngine, options: { readonly how: 'stop' | 'kill' }): Promise<void> {
  if ((await ownership(host)) !== 'another') await endEngine(host, options.how);
}

/** Takes the engine and all that it made away. */
export async function removeHostEngine(host: HostEngine): Promise<void> {
  const owned = await ownership(host);
  if (owned === 'another') return;
  await endEngine(host, 'kill');
  if (owned === 'ours')
    await host.rootLine.check(uninstallScript(host.place), { signal: host.signal, timeoutMs: 120_000 });
}

async function ownership({ rootLine, place, machineId, signal }: HostEngine): Promise<'ours' | 'another' | 'nobody'> {
  const { owner } = await lookAtHost(rootLine, { place, signal });
  if (owner === null) return 'nobody';
  return owner.id === machineId ? 'ours' : 'another';
}

async function endEngine(host: HostEngine, how: 'stop' | 'kill'): Promise<void> {
  const { rootLine, place, signal } = host;
  await endContainers(host, how);
  const script = shellQuote(`${place.serviceFolder}/engine-stop`);
  await rootLine.check(`[ ! -x ${script} ] || ${script}`, { signal, timeoutMs: 30_000 });
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
