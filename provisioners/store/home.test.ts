import { describe, expect, it } from 'vitest';
import { dockerHost, machinePaths, skiffHome } from './home.ts';
import { parseMachineName } from './machine-name.ts';

const web = parseMachineName('web');

describe('where things lie', () => {
  it('takes the home from the environment, made absolute', () => {
    expect(skiffHome({ environment: { SKIFF_HOME: '/srv/skiff' } })).toBe('/srv/skiff');
    expect(skiffHome({ environment: { SKIFF_HOME: 'here' } })).toBe(`${process.cwd()}/here`);
    expect(skiffHome({ environment: { SKIFF_HOME: '' } })).toMatch(/\/\.skiff$/);
  });

  it('keeps everything of a machine in one folder, its sockets too', () => {
    const paths = machinePaths('/home/u/.skiff', web, { platform: 'linux' });
    expect([paths.folder, paths.dockerSocket, paths.qmpSocket, paths.document]).toEqual([
      '/home/u/.skiff/machines/web',
      '/home/u/.skiff/machines/web/docker.sock',
      '/home/u/.skiff/machines/web/qmp.sock',
      '/home/u/.skiff/machines/web/machine.json',
    ]);
  });

  it.each([103, 104])('moves sockets to a short folder when a path would have more than 103 bytes (%i)', (bytes) => {
    const tail = '/machines/web/docker.sock';
    const home = `/${'d'.repeat(bytes - tail.length - 1)}`;
    const { dockerSocket, sockets, folder } = machinePaths(home, web, { platform: 'linux' });
    const isShort = bytes > 103;
    expect(sockets === folder).toBe(!isShort);
    expect(Buffer.byteLength(dockerSocket)).toBeLessThanOrEqual(103);
    // The next process must come to the same path, whatever its environment.
    expect(machinePaths(home, web, { platform: 'linux' }).dockerSocket).toBe(dockerSocket);
  });

  it('counts bytes, not characters', () => {
    const home = `/${'ü'.repeat(50)}`;
    expect(machinePaths(home, web, { platform: 'linux' }).sockets).toMatch(/^\/tmp\/skiff-\d+-[0-9a-f]{12}$/);
  });

  it('gives machines of different homes different short folders', () => {
    const deep = (letter: string): string => machinePaths(`/${letter.repeat(120)}`, web, { platform: 'linux' }).sockets;
    expect(deep('a')).not.toBe(deep('b'));
  });

  it('uses a named pipe on Windows', () => {
    const { dockerSocket, qmpSocket } = machinePaths('/c/skiff', web, { platform: 'win32' });
    expect(dockerSocket).toMatch(/^\\\\\.\\pipe\\skiff-web-[0-9a-f]{12}$/);
    expect(dockerHost(dockerSocket)).toMatch(/^npipe:\/\/\/\/\.\/pipe\/skiff-web-/);
    expect(qmpSocket).toBeNull();
  });

  it('names a unix socket as docker does', () => {
    expect(dockerHost('/run/x.sock')).toBe('unix:///run/x.sock');
  });
});
