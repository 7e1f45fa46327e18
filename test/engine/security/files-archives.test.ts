import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { encodeEntry, endOfArchive } from '../../../api/tar/writer.ts';
import { describeWith, lacking } from '../../skip.ts';
import { call } from '../api.ts';
import { archive, type ArchiveAnswer } from '../archive.ts';
import { Boxes } from '../box.ts';
import { eventually } from '../docker.ts';
import { directory, file, link, loadImage } from '../made-image.ts';
import { type RunningEngine, startEngine } from '../start-engine.ts';

const hardlink = (name: string, target: string): Buffer =>
  encodeEntry({ kind: 'hardlink', name: Buffer.from(name), linkName: Buffer.from(target) });
const device = (name: string): Buffer =>
  encodeEntry({ kind: 'character-device', name: Buffer.from(name), device: { major: 1, minor: 5 }, mode: 0o666 });

/** A header whose size field says what it likes: base 256 holds sizes that no file has. */
function withSize(entry: Buffer, size: bigint): Buffer {
  const bytes = Buffer.from(entry);
  bytes.fill(0, 124, 136);
  bytes[124] = 0x80;
  bytes.writeBigUInt64BE(size, 128);
  bytes.fill(0x20, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

/** A PAX header that says it is as large as `sizeBytes`, and is. */
function hugeHeader(sizeBytes: number): Buffer {
  const bytes = encodeEntry({ kind: 'file', name: Buffer.from('x') }, Buffer.alloc(sizeBytes, 'a'));
  bytes[156] = 0x78;
  bytes.fill(0x20, 148, 156);
  const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

describeWith(['linux', 'root', { program: 'crun' }], 'security: hostile archives and hostile images', () => {
  let engine: RunningEngine;
  let boxes: Boxes;
  let canary: string;
  let id: string;
  beforeAll(async () => {
    engine = await startEngine();
    boxes = new Boxes(engine.socket);
    canary = mkdtempSync(path.join(os.tmpdir(), 'skiff-canary-'));
    id = await boxes.keep({ host: { Binds: ['hostile:/v'] } });
  });
  beforeEach(() => {
    rmSync(canary, { recursive: true });
    mkdirSync(canary);
    writeFileSync(path.join(canary, 'secret'), 'kept');
  });
  afterAll(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(canary, { recursive: true, force: true });
  });

  const put = (where: string, ...entries: readonly Buffer[]): Promise<ArchiveAnswer> =>
    archive(engine.socket, 'PUT', { container: id, path: where, body: Buffer.concat([...entries, endOfArchive]) });
  const expectUntouched = (): void => {
    expect(readdirSync(canary)).toEqual(['secret']);
    expect(readFileSync(path.join(canary, 'secret'), 'utf8')).toBe('kept');
  };

  it.each([
    ['..', () => [file('../evil', 'x')], /invalid entry name "\.\.\/evil"/],
    ['.. in the middle', () => [file('a/../../evil', 'x')], /invalid entry name/],
    ['a hard link out', () => [hardlink('h', '../../etc/passwd')], /invalid hardlink target/],
    ['a hard link through a link', () => [link('l', canary), hardlink('h', 'l/secret')], /no such file|not found/],
    ['a zero byte', () => [file('a\0b/../../../evil', 'x')], null],
    ['an empty name', () => [file('', 'x')], null],
    ['a name of 300 bytes', () => [file('n'.repeat(300), 'x')], /too long/],
    ['a size of 2^63', () => [withSize(file('x', ''), 2n ** 63n)], /out of range/],
    ['a size of 2^53', () => [withSize(file('x', ''), 2n ** 53n - 1n)], /ends inside/],
    ['a header of 2 MB', () => [hugeHeader(2 << 20)], /extended header/],
    ['a header cut off', () => [file('x', 'x').subarray(0, 300)], null],
    ['no archive', () => [Buffer.alloc(2048, 'no')], /checksum|number|header/],
    ['a broken gzip', () => [gzipSync(file('x', 'x')).subarray(0, 30)], /broken/],
    ['a broken xz', () => [Buffer.from('fd377a585a000004e6d6b446', 'hex'), Buffer.alloc(64, 7)], /broken|xz/],
    ['a broken bzip2', () => [Buffer.from('BZh91AY&SYnonsense and more of it')], /broken/],
  ] as const)('%s is refused, or lands inside', async (_, entries, expected) => {
    for (const where of ['/tmp', '/v']) {
      const { status, message } = await put(where, ...entries());
      if (expected !== null) {
        expect(status).toBeGreaterThanOrEqual(400);
        expect(message).toMatch(expected);
      }
    }
    expectUntouched();
    expect((await call(engine.socket, 'GET', '/_ping')).status).toBe(200);
  });

  it.each([
    ['an absolute link, then through it', () => [link('out', canary), file('out/evil', 'x')]],
    ['a relative link, then through it', () => [link('up', `../../../../../..${canary}`), file('up/evil', 'x')]],
    ['a link to a link', () => [link('a', 'b'), link('b', canary), file('a/evil', 'x')]],
    ['a link to itself', () => [link('me', 'me'), file('me/evil', 'x')]],
    [
      'a link in the place of a directory that was made',
      () => [directory('d/'), link('d', canary), file('d/evil', 'x')],
    ],
    ['a file in the place of a link', () => [link('s', path.join(canary, 'secret')), file('s', 'overwritten')]],
    ['a directory in the place of a link', () => [link('s', canary), directory('s/'), file('s/evil', 'x')]],
    ['absolute names', () => [file(`${canary}/evil`, 'x'), directory(`${canary}/`, { mode: 0o700 })]],
    ['times of a link', () => [link('t', canary), directory('t', { modifiedNs: 0n })]],
    ['the same name a thousand times', () => Array.from({ length: 1000 }, (_, index) => file('same', String(index)))],
    ['device nodes', () => [device('zero'), encodeEntry({ kind: 'fifo', name: Buffer.from('pipe') })]],
    ['magic links', () => [link('m', '/proc/self/root'), file(`m${canary}/evil`, 'x')]],
  ] as const)('%s stays inside', async (_, entries) => {
    for (const where of ['/tmp', '/v']) expect([200, 400, 500]).toContain((await put(where, ...entries())).status);
    expectUntouched();
  });

  it('thousands of entries, and a directory as deep as a path can be', { timeout: 90_000 }, async () => {
    const many = Array.from({ length: 4_000 }, (_, index) => file(`many/${index}`, 'x'));
    expect((await put('/tmp', ...many)).status).toBe(200);
    const deep = Array.from({ length: 400 }, (_, index) => directory(`${'d/'.repeat(index + 1)}`));
    expect((await put('/tmp', ...deep)).status).toBe(200);
    expect((await archive(engine.socket, 'GET', { container: id, path: '/tmp' })).status).toBe(200);
  });

  it('an archive that swells is ended by the disk or by the client, never by the engine’s memory', async () => {
    const bomb = gzipSync(
      Buffer.concat([withSize(file('zeros', ''), 64n << 20n), Buffer.alloc(64 << 20), endOfArchive]),
    );
    expect(bomb.length).toBeLessThan(200_000);
    expect((await archive(engine.socket, 'PUT', { container: id, path: '/tmp', body: bomb })).status).toBe(200);
    const pages = Number(readFileSync(`/proc/${engine.pid()}/statm`, 'utf8').split(' ')[1]);
    expect((pages * 4096) / (1 << 20)).toBeLessThan(400);
  });

  /** CVE-2026-41567, CVE-2019-14271: what unpacks is looked up in the container. */
  it('programs of an image are never run by a copy', async () => {
    const trojan = '#!/bin/sh\ntouch /pwned\ncat\n';
    const names = ['xz', 'unxz', 'unpigz', 'gzip', 'gunzip', 'bzip2', 'zstd', 'tar', 'docker-untar', 'chroot'];
    await loadImage(engine.socket, 'trojan', {
      layer: [
        directory('usr/'),
        directory('usr/bin/'),
        directory('lib/'),
        ...names.map((name) => file(`usr/bin/${name}`, trojan, { mode: 0o755 })),
        file('lib/libnss_files.so.2', 'not a library'),
        file('etc/nsswitch.conf', 'passwd: files\n'),
      ],
      config: { Env: ['PATH=/usr/bin:/bin'] },
    });
    const running = await boxes.keep({ config: { Image: 'trojan', User: 'user' } });
    const plain = Buffer.concat([file('unpacked', 'content'), endOfArchive]);
    const packed = ['xz', 'bzip2', 'gzip']
      .filter((program) => lacking([{ program }]) === null)
      .map((program) => execFileSync(program, ['-c'], { input: plain, timeout: 30_000 }));
    expect(packed.length).toBeGreaterThan(0);
    for (const body of packed) {
      const query = '&copyUIDGID=1';
      expect((await archive(engine.socket, 'PUT', { container: running, path: '/tmp', body, query })).status).toBe(200);
      const got = await archive(engine.socket, 'GET', { container: running, path: '/tmp/unpacked' });
      expect(got.body.includes('content')).toBe(true);
    }
    const gone = await archive(engine.socket, 'HEAD', { container: running, path: '/pwned' });
    expect(gone.status).toBe(404);
    expect(existsSync('/pwned')).toBe(false);
    await boxes.remove(running);
  });

  /** CVE-2024-9341, CVE-2024-9676: what an image says of itself leads out, or is endless. */
  it('an image whose volumes, working directory and users lead out makes nothing outside', async () => {
    await loadImage(engine.socket, 'leading', {
      layer: [
        link('w', canary),
        link('up', `../../../../..${canary}`),
        link('etc/passwd', path.join(canary, 'secret')),
      ],
      config: { Volumes: { '/w/volume': {}, '/up/volume': {} }, WorkingDir: '/w/made' },
    });
    const { status, text } = await call(engine.socket, 'POST', '/containers/create', { Image: 'leading', Cmd: ['ls'] });
    expect([201, 400, 500], text).toContain(status);
    if (status === 201) {
      const made = (JSON.parse(text) as { Id: string }).Id;
      await call(engine.socket, 'POST', `/containers/${made}/start`);
      await boxes.remove(made);
    }
    expectUntouched();
  });

  it('a client that vanishes in the middle of an upload leaves no process of its copy', async () => {
    const { default: http } = await import('node:http');
    const sent = http.request({
      socketPath: engine.socket,
      method: 'PUT',
      path: `/containers/${id}/archive?path=/tmp`,
      headers: { 'Content-Length': String(1 << 30) },
    });
    sent.on('error', () => undefined); // ended by ourselves
    sent.write(withSize(file('endless', ''), 1n << 29n));
    sent.write(Buffer.alloc(1 << 20));
    await eventually('the copy has begun', async () => {
      const { status } = await archive(engine.socket, 'HEAD', { container: id, path: '/tmp/endless' });
      return status === 200 ? true : null;
    });
    sent.destroy();
    await eventually('nothing is mounted in a view any more', async () => {
      const again = await put('/tmp', file('after', 'x'));
      return again.status === 200 ? true : null;
    });
  });
});
