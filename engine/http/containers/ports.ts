import net from 'node:net';
import type { PortSpec, Protocol, PublishedPortSpec } from '../../containers/spec/spec.ts';
import { invalid } from '../../model/errors.ts';
import type { Fields } from '../fields.ts';

/** `80/tcp`, `80`, `8000-8010/udp` -> ports. */
export function exposedPort(text: string): readonly PortSpec[] {
  const [range = '', protocol = 'tcp'] = text.split('/');
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp')
    throw invalid(`invalid proto: ${protocol} (port ${text})`);
  const { first, last } = portRange(range, range);
  return Array.from({ length: last - first + 1 }, (_, index) => ({ port: first + index, protocol }));
}

/** `HostConfig.PortBindings`: an entry with no bindings means any free port. */
export function publishedPorts(bindings: Fields): readonly PublishedPortSpec[] {
  return bindings.names().flatMap((key) =>
    exposedPort(key).flatMap((port) => {
      const given = bindings.objects(key);
      if (given.length === 0) return [{ ...port, hostAddress: null, hostPorts: null }];
      return given.map((binding) => ({ ...port, ...hostSide(binding.text('HostIp'), binding.text('HostPort')) }));
    }),
  );
}

function hostSide(address: string, ports: string): Pick<PublishedPortSpec, 'hostAddress' | 'hostPorts'> {
  if (address !== '' && net.isIP(address) === 0) throw invalid(`invalid IP address: ${address}`);
  return {
    hostAddress: address === '' ? null : address,
    hostPorts: ports === '' || ports === '0' ? null : portRange(ports, ports),
  };
}

function portRange(range: string, shown: string): { first: number; last: number } {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(range);
  const first = Number(match?.[1] ?? 0);
  const last = Number(match?.[2] ?? first);
  if (match === null || first < 1 || last > 65535 || last < first)
    throw invalid(`invalid port specification: "${shown}"`);
  return { first, last };
}

/** `80/tcp`, as Docker keys its port maps. */
export function portKey(port: { readonly port: number; readonly protocol: Protocol }): string {
  return `${port.port}/${port.protocol}`;
}
