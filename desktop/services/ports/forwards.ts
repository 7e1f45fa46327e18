/** Published ports as this computer has them: the host agents do the work and tell of it, this only puts it in words. */
import type { Machine as MachineDocument, PortForward } from '../../../provisioners/machines.ts';
import type { Forward } from '../../contract/ports.ts';

/** What of a machine's forwards belongs to one port of one container. */
export interface PortReach {
  readonly localAddress: string | null;
  readonly forwardError: string | null;
}

export function forwardsOf(
  documents: readonly MachineDocument[],
  nameOf: (machine: string, containerId: string) => string | null,
): Forward[] {
  return documents.flatMap(({ name: machine, agent }) =>
    (agent?.forwards ?? []).map((forward) => ({
      id: `${machine}/${forward.containerId}/${forward.protocol}/${forward.hostIp}/${forward.hostPort}`,
      machine,
      containerId: forward.containerId,
      containerName: nameOf(machine, forward.containerId) ?? '',
      containerPort: forward.containerPort,
      protocol: forward.protocol,
      localAddress: localAddressOf(forward),
      state: forward.state,
      error: forward.error,
    })),
  );
}

/** How one port of a container is reached from here; the first forward that is open counts. */
export function reachOf(
  forwards: readonly PortForward[],
  port: { readonly containerId: string; readonly containerPort: number; readonly protocol: string },
): PortReach {
  const own = forwards.filter(
    ({ containerId, containerPort, protocol }) =>
      containerId === port.containerId && containerPort === port.containerPort && protocol === port.protocol,
  );
  const open = own.find(({ state }) => state === 'open');
  if (open) return { localAddress: localAddressOf(open), forwardError: null };
  return { localAddress: null, forwardError: own[0]?.error ?? null };
}

/** Loopback and "any address" are both best reached, and read, as `localhost`. */
function localAddressOf({ hostIp, hostPort }: PortForward): string {
  const isLocal = ['', '0.0.0.0', '127.0.0.1', '::', '::1'].includes(hostIp);
  const host = isLocal ? 'localhost' : hostIp.includes(':') ? `[${hostIp}]` : hostIp;
  return `${host}:${hostPort}`;
}
