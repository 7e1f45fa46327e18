import type { ContainerSummary } from '../../api/containers.ts';

/** A port that a container publishes on its machine. */
export interface PublishedPort {
  readonly containerId: string;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  /** Address and port at which the machine itself reaches it. */
  readonly machineIp: string;
  readonly port: number;
}

/**
 * The ports that belong on this computer for a container. An engine lists a port that is published on all addresses twice,
 * for IPv4 and IPv6; here it is one.
 */
export function publishedPorts(container: Pick<ContainerSummary, 'Id' | 'Ports' | 'State'>): PublishedPort[] {
  if (container.State !== 'running' && container.State !== 'paused') return [];
  const found = new Map<string, PublishedPort>();
  for (const { IP, PrivatePort, PublicPort, Type } of container.Ports) {
    if (PublicPort === undefined) continue;
    const isAny = IP === undefined || IP === '' || IP === '0.0.0.0' || IP === '::';
    const port: PublishedPort = {
      containerId: container.Id,
      containerPort: PrivatePort,
      protocol: Type,
      machineIp: isAny ? '127.0.0.1' : IP,
      port: PublicPort,
    };
    const key = `${Type} ${PublicPort}`;
    // `-p 127.0.0.1:80:80 -p [::1]:80:80` is two publishes of one port; the first reaches the container as well as the second.
    if (!found.has(key)) found.set(key, port);
  }
  return [...found.values()];
}
