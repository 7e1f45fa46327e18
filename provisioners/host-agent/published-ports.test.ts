import { describe, expect, it } from 'vitest';
import type { PortSummary } from '../../api/containers.ts';
import { publishedPorts } from './published-ports.ts';

const of = (...Ports: PortSummary[]): string[] =>
  publishedPorts({ Id: 'c', State: 'running', Ports }).map(
    ({ protocol, machineIp, port, containerPort }) => `${machineIp}:${port}->${containerPort}/${protocol}`,
  );

describe('the published ports of a container', () => {
  it.each<[string, PortSummary[], string[]]>([
    ['one that is exposed only', [{ PrivatePort: 80, Type: 'tcp' }], []],
    [
      'one for all addresses, listed for IPv4 and IPv6',
      [
        { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
        { IP: '::', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      ],
      ['127.0.0.1:8080->80/tcp'],
    ],
    [
      'one for an address of the machine',
      [{ IP: '127.0.0.5', PrivatePort: 80, PublicPort: 80, Type: 'tcp' }],
      ['127.0.0.5:80->80/tcp'],
    ],
    [
      'one number for two protocols',
      [
        { IP: '', PrivatePort: 53, PublicPort: 53, Type: 'tcp' },
        { IP: '', PrivatePort: 53, PublicPort: 53, Type: 'udp' },
      ],
      ['127.0.0.1:53->53/tcp', '127.0.0.1:53->53/udp'],
    ],
    [
      'two for one port of the container',
      [
        { IP: '', PrivatePort: 80, PublicPort: 81, Type: 'tcp' },
        { IP: '', PrivatePort: 80, PublicPort: 82, Type: 'tcp' },
      ],
      ['127.0.0.1:81->80/tcp', '127.0.0.1:82->80/tcp'],
    ],
  ])('%s', (_what, ports, expected) => {
    expect(of(...ports)).toEqual(expected);
  });

  it('are none once it has ended, and stay while it is paused', () => {
    const Ports: PortSummary[] = [{ IP: '', PrivatePort: 80, PublicPort: 80, Type: 'tcp' }];
    expect(publishedPorts({ Id: 'c', State: 'exited', Ports })).toEqual([]);
    expect(publishedPorts({ Id: 'c', State: 'paused', Ports })).toHaveLength(1);
  });
});
