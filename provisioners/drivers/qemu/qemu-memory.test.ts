import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import type { Server, Socket } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { computerKey, recallAccelerator, rememberAccelerator } from './accelerators.ts';
import { provideDataDisk } from './data-disk.ts';
import { freeLocalPort } from '../vm/local-port.ts';
import { findQemu, qemuMissing } from './qemu-program.ts';
import { QmpConnection } from './qmp.ts';

const never = new AbortController().signal;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-qemu-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('what is remembered of accelerators', () => {
  const parts = { qemu: '7.2', kernel: '6.12', processor: 'x', arch: 'x64' };
  const found = { chosen: { name: 'kvm', cpu: 'host' } as const, passedOver: ['a'] };

  it('holds for one QEMU, kernel and processor, and stands beside that of others', async () => {
    const path = join(folder, 'qemu.json');
    const [one, other] = [computerKey(parts), computerKey({ ...parts, kernel: '6.13' })];
    await rememberAccelerator(path, one, found);
    await rememberAccelerator(path, other, { chosen: null, passedOver: [] });
    expect(await recallAccelerator(path, one)).toEqual(found);
    expect(await recallAccelerator(path, computerKey({ ...parts, qemu: '8.0' }))).toBeNull();
  });

  it.each(['', 'nonsense', '{"x": 1}'])('is nothing when the file says %j, and is written anew', async (text) => {
    const path = join(folder, 'qemu.json');
    await writeFile(path, text);
    expect(await recallAccelerator(path, 'key')).toBeNull();
    await rememberAccelerator(path, 'key', found);
    expect(await recallAccelerator(path, 'key')).toEqual(found);
  });
});

describe('the data disk', () => {
  const provide = (sizeBytes: number): Promise<void> =>
    provideDataDisk({
      disk: { path: join(folder, 'data'), format: 'raw' },
      sizeBytes,
      qemuPath: '/usr/bin/qemu',
      signal: never,
    });

  it('has its size and takes no space', async () => {
    await provide(5 * 1024 ** 3);
    const { size, blocks, mode } = await stat(join(folder, 'data'));
    expect({ size, blocks, mode: mode & 0o777 }).toEqual({ size: 5 * 1024 ** 3, blocks: 0, mode: 0o600 });
  });

  it('grows and keeps what is on it, and is never made smaller', async () => {
    await writeFile(join(folder, 'data'), 'content');
    await provide(1024 ** 2);
    await provide(4096);
    expect((await readFile(join(folder, 'data'))).subarray(0, 7).toString()).toBe('content');
    expect((await stat(join(folder, 'data'))).size).toBe(1024 ** 2);
  });
});

describe('QEMU on this computer', () => {
  it('is not found where there is none', async () => {
    const nowhere = { platform: 'freebsd', arch: 'x64', environment: { PATH: folder } } as const;
    expect(await findQemu(nowhere)).toBeNull();
  });

  it('tells its version as a packager wrote it', async () => {
    const path = join(folder, 'qemu-system-x86_64');
    await writeFile(path, '#!/bin/sh\necho "QEMU emulator version 9.9.1 (Debian 1:9.9)"\n', { mode: 0o755 });
    const here = { platform: 'linux', arch: 'x64', environment: { PATH: folder } } as const;
    expect(await findQemu(here)).toEqual({ path, version: '9.9.1 (Debian 1:9.9)' });
  });

  it.each([
    ['linux', 'x64', 'sudo apt-get install qemu-system-x86;'],
    ['linux', 'arm64', 'sudo apt-get install qemu-system-arm;'],
    ['darwin', 'arm64', 'brew install qemu'],
    ['win32', 'x64', 'winget install'],
  ] as const)('that is missing on %s %s is named with the command that installs it', (platform, arch, command) => {
    expect(qemuMissing({ platform, arch, environment: {} })).toContain(command);
  });
});

describe('a local port', () => {
  it('is the preferred one while that is free, and another when it is not', async () => {
    const port = await freeLocalPort(null);
    expect(await freeLocalPort(port)).toBe(port);
    const server = createServer().listen(port, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    expect(await freeLocalPort(port)).not.toBe(port);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("QEMU's control socket", () => {
  let server: Server;
  let path: string;
  const sockets = new Set<Socket>();

  async function serve(onLine: (line: string, socket: Socket) => void): Promise<void> {
    path = join(folder, 'qmp.sock');
    server = createServer((socket) => {
      sockets.add(socket);
      socket.write('{"QMP": {"version": {}, "capabilities": []}}\r\n');
      let rest = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        const lines = (rest + text).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) onLine(line, socket);
      });
    });
    await new Promise<undefined>((resolve) => server.listen(path, () => resolve(undefined)));
  }
  afterEach(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  const answer = (line: string, reply: (command: string) => object): string => {
    const { execute, id } = JSON.parse(line) as { execute: string; id: number };
    return `${JSON.stringify({ ...reply(execute), id })}\r\n`;
  };

  it('answers commands, in whatever pieces the bytes come, and tells events', async () => {
    await serve((line, socket) => {
      const event = '{"event": "STOP", "timestamp": {}}\r\n';
      const reply = answer(line, (command) => ({
        return: command === 'query-status' ? { status: 'internal-error' } : {},
      }));
      for (const byte of `${event}${reply}`) socket.write(byte);
    });
    using qmp = await QmpConnection.connect(path);
    const events: string[] = [];
    qmp.onEvent((event) => events.push(event));
    expect(await qmp.status()).toBe('internal-error');
    expect(events).toContain('STOP');
  });

  it('says why QEMU refused a command', async () => {
    await serve((line, socket) =>
      socket.write(
        answer(line, (command) =>
          command === 'quit' ? { error: { class: 'GenericError', desc: 'no' } } : { return: {} },
        ),
      ),
    );
    using qmp = await QmpConnection.connect(path);
    await expect(qmp.execute('quit')).rejects.toThrow('no');
  });

  it('fails what is under way when QEMU ends', async () => {
    await serve((line, socket) => {
      if (line.includes('quit')) socket.destroy();
      else socket.write(answer(line, () => ({ return: {} })));
    });
    using qmp = await QmpConnection.connect(path);
    await expect(qmp.execute('quit')).rejects.toThrow(/closed its control socket/);
    await expect(qmp.execute('query-status')).rejects.toThrow(/closed its control socket/);
  });

  it('does not wait for ever', async () => {
    await serve((line, socket) => {
      if (!line.includes('query')) socket.write(answer(line, () => ({ return: {} })));
    });
    using qmp = await QmpConnection.connect(path);
    await expect(qmp.execute('query-status', { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
  });
});
