import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeWith } from '../../test/skip.ts';
import { UnixDatagram } from './unix-datagram.ts';

const listener = `
import os, socket, sys
path = sys.argv[1]
if os.path.exists(path): os.unlink(path)
listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listening.bind(path)
print('ready', flush=True)
print(listening.recv(1000).decode(), flush=True)
`;

describeWith(['linux', { program: 'python3' }], 'datagrams to a unix socket', () => {
  it('arrive, and find a listener that was started anew', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skiff-dgram-'));
    const path = join(folder, 's');
    const listen = async (): Promise<{ received: Promise<string> }> => {
      const child = spawn('python3', ['-c', listener, path], { stdio: ['ignore', 'pipe', 'inherit'] });
      await once(child.stdout, 'data');
      let text = '';
      child.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
      return { received: once(child, 'close').then(() => text.trim()) };
    };
    expect(() => new UnixDatagram(path)).toThrow(/ENOENT/);
    const first = await listen();
    using datagrams = new UnixDatagram(path);
    datagrams.send(Buffer.from('one'));
    expect(await first.received).toBe('one');
    expect(() => datagrams.send(Buffer.from('lost'))).toThrow(/ECONNREFUSED/);
    const second = await listen();
    datagrams.send(Buffer.from('two'));
    expect(await second.received).toBe('two');
    rmSync(folder, { recursive: true });
  });
});
