import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StepReport } from '../progress.ts';
import { imageFixture } from './image.fixture.ts';
import { ensureMachineImage, type MachineImage } from './machine-image.ts';
import { imageFiles } from './manifest.ts';

/** A server of a release, which can be told to misbehave. */
interface Release {
  readonly url: string;
  /** Path and Range of each request. */
  readonly requests: string[];
  /** Overrides what a path gives. */
  readonly contents: Map<string, Buffer>;
  /** Ends the connection after so many bytes of a path's body, once. */
  readonly cutAfter: Map<string, number>;
  honoursRange: boolean;
}

const fixture = imageFixture();

describe('an image from a release', () => {
  let base: string;
  let server: Server;
  let release: Release;
  let reports: StepReport[];
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'skiff-release-'));
    reports = [];
    server = createServer((request, response) => answer(request, response));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the server has no port');
    release = {
      url: `http://127.0.0.1:${address.port}/v1/manifest.json`,
      requests: [],
      contents: new Map([['manifest.json', Buffer.from(fixture.manifestText)], ...Object.entries(fixture.files)]),
      cutAfter: new Map(),
      honoursRange: true,
    };
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
    await rm(base, { recursive: true });
  });

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const path = (request.url ?? '').replace('/v1/', '');
    const range = request.headers.range ?? null;
    release.requests.push(range === null ? path : `${path} ${range}`);
    const content = release.contents.get(path);
    if (content === undefined) {
      response.writeHead(404).end();
      return;
    }
    const start = range !== null && release.honoursRange ? Number(/^bytes=(\d+)-$/.exec(range)?.[1]) : 0;
    const body = content.subarray(start);
    response.writeHead(start === 0 ? 200 : 206, { 'content-length': body.length });
    const cut = release.cutAfter.get(path);
    if (cut === undefined) response.end(body);
    else {
      release.cutAfter.delete(path);
      response.write(body.subarray(0, cut), () => response.destroy());
    }
  }

  async function ensure({
    sha256 = fixture.manifestSha256,
    arch = 'amd64',
  }: { sha256?: string; arch?: 'amd64' | 'arm64' } = {}): Promise<MachineImage> {
    return ensureMachineImage(
      { arch, cacheDir: base, source: { kind: 'release', url: release.url, sha256 } },
      { report: (report) => reports.push(report), signal: AbortSignal.timeout(50_000) },
    );
  }

  async function cached(): Promise<readonly string[]> {
    return (await readdir(join(base, 'machine-images'))).filter((name) => !name.endsWith('.lock')).sort();
  }

  it('is fetched, verified and kept; the second time nothing is asked of the server', async () => {
    const image = await ensure();
    expect(await readFile(image.systemDisk)).toEqual(fixture.files['system.erofs']);
    expect(image.commandLine).toBe(fixture.manifest.commandLine);
    expect(reports.at(-1)).toMatchObject({ step: 'image-download', state: 'done' });
    expect(reports.filter(({ fraction }) => fraction !== undefined).at(-1)?.fraction).toBe(1);
    expect(release.requests).toEqual(['manifest.json', ...imageFiles]);
    expect((await ensure()).folder).toBe(image.folder);
    expect(release.requests).toHaveLength(5);
    expect(await cached()).toEqual([`release-${fixture.manifestSha256.slice(0, 16)}`]);
  });

  it('goes on where a download broke off', async () => {
    release.cutAfter.set('system.erofs', 200_000);
    await expect(ensure()).rejects.toMatchObject({ code: 'image-unavailable' });
    release.requests.length = 0;
    const image = await ensure();
    expect(await readFile(image.systemDisk)).toEqual(fixture.files['system.erofs']);
    expect(release.requests.map((request) => request.split(' ', 1)[0])).toEqual([
      'manifest.json',
      'system.erofs',
      'boot.efi',
    ]);
    expect(Number(/^system\.erofs bytes=(\d+)-$/.exec(release.requests[1] ?? '')?.[1])).toBeGreaterThan(0);
  });

  it('begins anew when the server does not know ranges', async () => {
    release.cutAfter.set('system.erofs', 200_000);
    await expect(ensure()).rejects.toThrow();
    release.honoursRange = false;
    expect(await readFile((await ensure()).systemDisk)).toEqual(fixture.files['system.erofs']);
  });

  it('is refused when a file is not what its digest says, and the file is thrown away', async () => {
    release.contents.set('initrd', Buffer.alloc(2000, 'x'));
    await expect(ensure()).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringMatching(/^initrd from http.*has the digest .* instead of /),
    });
    const [downloading] = await cached();
    expect(await readdir(join(base, 'machine-images', downloading ?? ''))).toEqual(['kernel']);
    release.contents.set('initrd', fixture.files.initrd);
    await ensure();
    expect(await cached()).toHaveLength(1);
  });

  it('is refused when a file is longer than it should be, without storing the rest', async () => {
    release.contents.set('kernel', Buffer.alloc(1_000_000));
    await expect(ensure()).rejects.toThrow('longer than the 3000 bytes');
  });

  it('is refused when the manifest is another than the one that is wanted', async () => {
    await expect(ensure({ sha256: '0'.repeat(64) })).rejects.toMatchObject({
      code: 'image-corrupt',
      message: expect.stringContaining('Nothing was kept'),
    });
    expect(release.requests).toEqual(['manifest.json']);
  });

  it('is refused when it is for another architecture', async () => {
    await expect(ensure({ arch: 'arm64' })).rejects.toThrow('is for amd64, this machine needs arm64');
    expect(await cached()).toEqual([]);
  });

  it('says what the server answered, and when there is none', async () => {
    release.contents.delete('initrd');
    await expect(ensure()).rejects.toThrow(/initrd answered 404 Not Found\.$/);
    server.closeAllConnections();
    const closed = ensureMachineImage(
      {
        arch: 'amd64',
        cacheDir: base,
        source: { kind: 'release', url: 'http://127.0.0.1:1/manifest.json', sha256: '1'.repeat(64) },
      },
      { report: () => undefined, signal: AbortSignal.timeout(50_000) },
    );
    await expect(closed).rejects.toMatchObject({
      code: 'image-unavailable',
      message: expect.stringContaining('cannot be fetched from http://127.0.0.1:1/'),
    });
  });

  it('is made again when the cached one is damaged', async () => {
    const image = await ensure();
    await writeFile(image.kernel, 'damaged');
    expect(await readFile((await ensure()).kernel)).toEqual(fixture.files.kernel);
  });

  it('is fetched once when two ask for it at the same time', async () => {
    await mkdir(join(base, 'machine-images'), { recursive: true });
    const [first, second] = await Promise.all([ensure(), ensure()]);
    expect(second.folder).toBe(first.folder);
    expect(release.requests).toEqual(['manifest.json', ...imageFiles]);
  });

  it('needs a digest that is one', async () => {
    await expect(ensure({ sha256: 'abc' })).rejects.toMatchObject({ code: 'invalid-setting' });
  });
});
