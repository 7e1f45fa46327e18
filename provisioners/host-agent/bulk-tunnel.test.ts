import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { eventually } from '../../test/eventually.ts';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import { knownHostsLine } from '../ssh/keys.ts';
import type { BulkTunnelOptions } from './bulk-tunnel.ts';
import { openBulkTunnel, tunnelArguments } from './bulk-tunnel.ts';
import { KeptTunnel } from './kept-tunnel.ts';

describeWith(['linux', { program: sshdProgram }, { program: 'ssh' }], 'the fast way for bulk streams', () => {
  let folder: string;
  let sshd: TestSshd;
  let engine: Server;
  let options: BulkTunnelOptions;
  let ending: AbortController;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-tunnel-'));
    sshd = await startSshd();
    ending = new AbortController();
    const path = (name: string): string => join(folder, name);
    engine = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
    await new Promise<void>((resolve) => engine.listen(path('engine.sock'), resolve));
    await writeFile(path('id'), sshd.identity.privateKey, { mode: 0o600 });
    const { port, user, hostKey } = sshd;
    const at = { host: '127.0.0.1', port };
    await writeFile(path('known_hosts'), knownHostsLine({ ...at, alias: 'x', publicKey: hostKey.publicKey }));
    options = {
      access: { kind: 'ssh', ...at, user, hostKey: null, jumps: [] },
      identityFile: path('id'),
      knownHostsFile: path('known_hosts'),
      localSocket: path('bulk.sock'),
      engineSocket: path('engine.sock'),
      signal: ending.signal,
    };
  });
  afterEach(async () => {
    ending.abort();
    await sshd[Symbol.asyncDispose]();
    await new Promise((resolve) => engine.close(resolve));
    await rm(folder, { recursive: true, force: true });
  });

  it('carries streams with their ends, and leaves neither socket nor program', async () => {
    const tunnel = await openBulkTunnel(options);
    if (tunnel === null) throw new Error('there is no tunnel');
    const stream = await tunnel.dial();
    stream.end('there and back');
    expect(await text(stream)).toBe('there and back');
    await tunnel[Symbol.asyncDispose]();
    expect(tunnel.isOpen).toBe(false);
    expect(existsSync(options.localSocket)).toBe(false);
  });

  it('is not there without ssh, behind other hosts, or where the host key is another', async () => {
    expect(await openBulkTunnel({ ...options, program: '/nowhere/ssh' })).toBeNull();
    const jump = { host: 'gate', port: 22, user: 'me', hostKey: '' };
    expect(await openBulkTunnel({ ...options, access: { ...options.access, jumps: [jump] } })).toBeNull();
    await writeFile(options.knownHostsFile, '');
    expect(await openBulkTunnel(options)).toBeNull();
    expect(existsSync(options.localSocket)).toBe(false);
  });

  it('is used while it is there, and missed by nobody when it is not', async () => {
    const log: string[] = [];
    await using kept = new KeptTunnel({
      open: (signal) => openBulkTunnel({ ...options, signal }),
      signal: ending.signal,
      log: (line) => log.push(line),
      pauseMs: 0,
    });
    expect(await kept.dial()).toBeNull();
    kept.open();
    await eventually(() => log).toEqual(['the fast way for bulk streams is open']);
    const stream = await kept.dial();
    stream?.end('x');
    expect(stream === null ? null : await text(stream)).toBe('x');
    sshd.cut();
    await eventually(() => kept.dial()).toBeNull();
    kept.close();
  });

  it('never asks, never trusts, and reads no configuration of the user', () => {
    const args = tunnelArguments(options);
    expect(args.slice(0, 2)).toEqual(['-F', 'none']);
    expect(args).toEqual(expect.arrayContaining(['BatchMode=yes', 'StrictHostKeyChecking=yes', 'IdentitiesOnly=yes']));
  });
});
