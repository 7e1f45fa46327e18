import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { describeOwner, findPortOwner, ownerInLsof, pidInNetstat, socketsAt } from './port-owner.ts';

describeWith(['linux'], 'who has a port of this computer', () => {
  it('is found by TCP port', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    expect(await findPortOwner({ protocol: 'tcp', port })).toMatchObject({ pid: process.pid });
    await new Promise((resolve) => server.close(resolve));
    expect(await findPortOwner({ protocol: 'tcp', port })).toBeNull();
  });

  it('is found by UDP port', async () => {
    const socket = createSocket('udp4');
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
    const { port } = socket.address();
    expect(await findPortOwner({ protocol: 'udp', port })).toMatchObject({ pid: process.pid });
    await new Promise<void>((resolve) => socket.close(() => resolve()));
  });
});

describe('what systems tell of who has a port', () => {
  it('is read from the tables of Linux: those that listen, at just this port', () => {
    const table = [
      '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode',
      '   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000    33        0 4711 1 0 100 0 0 10 0',
      '   1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1',
      '   2: 0100007F:0090 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0',
    ].join('\n');
    expect(socketsAt(table, { protocol: 'tcp', port: 0x1f90 })).toEqual([{ uid: 33, inode: 4711 }]);
  });

  it('is read from lsof', () => {
    expect(ownerInLsof('p812\ncnginx\nu501\nLmia\nf6\n')).toEqual({ pid: 812, program: 'nginx', uid: 501 });
    expect(ownerInLsof('')).toBeNull();
  });

  it('is read from netstat, whatever the language of its words', () => {
    const text = [
      '',
      'Aktive Verbindungen',
      '',
      '  Proto  Lokale Adresse         Remoteadresse          Status           PID',
      '  TCP    127.0.0.1:8080         127.0.0.1:50000        HERGESTELLT      77',
      '  TCP    0.0.0.0:18080          0.0.0.0:0              ABHÖREN          12',
      '  TCP    [::1]:8080             [::]:0                 ABHÖREN          4242',
      '  UDP    0.0.0.0:5353           *:*                                     99',
      '',
    ].join('\r\n');
    expect(pidInNetstat(text, { protocol: 'tcp', port: 8080 })).toBe(4242);
    expect(pidInNetstat(text, { protocol: 'udp', port: 5353 })).toBe(99);
    expect(pidInNetstat(text, { protocol: 'tcp', port: 53 })).toBeNull();
  });

  it('is said in words', () => {
    expect(describeOwner({ pid: 812, program: 'nginx', uid: 0 })).toBe('nginx (process 812)');
    expect(describeOwner({ pid: null, program: null, uid: 0 })).toBe('a program of the administrator (root)');
    expect(describeOwner({ pid: null, program: null, uid: 33 })).toBe('a program of another user (uid 33)');
    expect(describeOwner(null)).toBe('another program');
  });
});
