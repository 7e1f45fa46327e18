import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { EngineClient } from '../../client/engine-client.ts';
import type { TestSshd } from '../../test/peers/sshd.ts';
import { sshdProgram, startSshd } from '../../test/peers/sshd.ts';
import { describeWith } from '../../test/skip.ts';
import type { SshConnection } from '../ssh/ssh-connection.ts';
import { connectSsh, pinnedTarget } from '../ssh/ssh-connection.ts';
import { readProcess } from '../store/process-identity.ts';
import type { Deployed, WantedNode } from './deploy-engine.ts';
import { deployEngine } from './deploy-engine.ts';
import type { EngineRelease, ReleaseArchitecture } from './engine-release.ts';
import { engineRelease } from './engine-release.ts';
import type { MachineLayout } from './machine-layout.ts';

const never = new AbortController().signal;

/** The least that counts as an engine: `_ping`, `version`, a pid file, an end on TERM. */
const program = (version: string): string => `
  import { createServer } from 'node:http';
  import { rmSync, writeFileSync } from 'node:fs';
  const after = (flag) => process.argv[process.argv.indexOf(flag) + 1];
  const socket = after('-H').replace('unix://', '');
  rmSync(socket, { force: true });
  createServer((request, response) => {
    response.setHeader('Api-Version', '1.52').setHeader('Content-Type', 'application/json');
    response.end(request.url.endsWith('/_ping') ? 'OK' : JSON.stringify({ Version: '${version}', ApiVersion: '1.52' }));
  }).listen(socket, () => writeFileSync(after('--pidfile'), String(process.pid)));
  process.on('SIGTERM', () => process.exit(0));
`;

/** What a machine's service does: ends the engine, and runs `current/run` again and again. */
const restartScript = (folder: string): string => `#!/bin/sh
cd '${folder}'
if [ -f service.pid ]; then
  kill -TERM "$(cat engine.pid)" 2>/dev/null
  exit 0
fi
setsid sh -c 'echo $$ > service.pid; while :; do deploy/current/run >> engine.log 2>&1; echo "skiff: the engine ended with code $? at once" >> engine.log; sleep 0.05; done' </dev/null >/dev/null 2>&1 &
`;

describeWith(['linux', { program: sshdProgram }], 'a deployment', () => {
  let sshd: TestSshd;
  let ssh: SshConnection;
  let folder: string;
  let layout: MachineLayout;

  beforeAll(async () => {
    sshd = await startSshd();
    ssh = await connectSsh(
      pinnedTarget({
        host: '127.0.0.1',
        port: sshd.port,
        user: sshd.user,
        privateKey: sshd.identity.privateKey,
        hostKey: sshd.hostKey.publicKey,
      }),
      { signal: never, deadlineMs: 30_000 },
    );
  });
  afterAll(async () => {
    await ssh[Symbol.asyncDispose]();
    await sshd[Symbol.asyncDispose]();
  });

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-deploy-'));
    await mkdir(join(folder, 'system', 'bin'), { recursive: true });
    await symlink(process.execPath, join(folder, 'system', 'bin', 'node'));
    await writeFile(
      join(folder, 'system', 'runtime.json'),
      JSON.stringify({ version: process.versions.node, sourceSha256: 'a'.repeat(64), sha256: 'b' }),
    );
    await writeFile(join(folder, 'restart'), restartScript(folder), { mode: 0o755 });
    layout = {
      deployFolder: join(folder, 'deploy'),
      systemRuntime: join(folder, 'system'),
      engineSocket: join(folder, 'engine.sock'),
      enginePidFile: join(folder, 'engine.pid'),
      engineLog: join(folder, 'engine.log'),
      dataRoot: join(folder, 'data'),
      execRoot: join(folder, 'exec'),
      compileCache: join(folder, 'cache'),
      restart: join(folder, 'restart'),
    };
  });

  afterEach(async () => {
    await ssh.run(`[ ! -f '${folder}/service.pid' ] || kill -KILL "-$(cat '${folder}/service.pid')"`, {
      signal: never,
    });
    await rm(folder, { recursive: true, force: true });
  });

  const arch: ReleaseArchitecture = process.arch === 'arm64' ? 'arm64' : 'x64';

  async function release(version: string, files: Readonly<Record<string, string>> = {}): Promise<EngineRelease> {
    const root = await mkdtemp(join(folder, 'release-'));
    const all = {
      'skiffd.js': program(version),
      'package.json': '{"type":"module"}',
      'node_modules/native/lib.node': 'native',
      ...files,
    };
    const listed = await Promise.all(
      Object.entries(all).map(async ([path, content]) => {
        await mkdir(dirname(join(root, 'files', path)), { recursive: true });
        await writeFile(join(root, 'files', path), content);
        return { path, sha256: createHash('sha256').update(content).digest('hex'), sizeBytes: content.length };
      }),
    );
    return engineRelease(root, { format: 1, engineVersion: version, arch, files: listed });
  }

  const deploy = (what: EngineRelease, change: { node?: WantedNode } = {}): Promise<Deployed> =>
    deployEngine({
      line: ssh,
      layout,
      release: what,
      node: change.node ?? null,
      signal: never,
      tell: () => undefined,
      answerTimeoutMs: 30_000,
    });

  async function runningVersion(): Promise<string> {
    using engine = new EngineClient((signal) => ssh.dialUnix(layout.engineSocket, signal));
    return (await engine.version()).Version;
  }

  const enginePid = async (): Promise<number> => Number(await readFile(layout.enginePidFile, 'utf8'));
  const releases = async (): Promise<string[]> => (await readdir(join(layout.deployFolder, 'releases'))).sort();
  const current = async (): Promise<string> =>
    (await readlink(join(layout.deployFolder, 'current'))).replace('releases/', '');

  it('puts a release in place, starts it and is sure that it is the one that answers', async () => {
    const deployed = await deploy(await release('1.0.0'));
    expect(deployed).toMatchObject({ engineVersion: '1.0.0', isNew: true });
    expect(deployed.sentBytes).toBeGreaterThan(0);
    expect(await runningVersion()).toBe('1.0.0');
    expect(await current()).toBe(deployed.release);
    const { commandLine } = (await readProcess(await enginePid())) ?? { commandLine: '' };
    expect(commandLine).toContain(` /proc/self/cwd/skiffd.js -H unix://${layout.engineSocket} --data-root`);
    expect((await readFile(`/proc/${await enginePid()}/environ`, 'utf8')).split('\0')).toContain(
      `SKIFF_RELEASE=${join(layout.deployFolder, 'releases', deployed.release)}`,
    );
    expect(
      await readFile(join(layout.deployFolder, 'releases', deployed.release, 'node_modules/native/lib.node'), 'utf8'),
    ).toBe('native');
  });

  it('does nothing, and restarts nothing, when that release runs already', async () => {
    const same = await release('1.0.0');
    const first = await deploy(same);
    const pid = await enginePid();
    expect(await deploy(same)).toEqual({ release: first.release, engineVersion: '1.0.0', isNew: false, sentBytes: 0 });
    expect(await enginePid()).toBe(pid);
  });

  it('sends only the files that the machine does not have', async () => {
    const large = 'x'.repeat(200_000) + Math.random();
    const incompressible = Buffer.from(Array.from({ length: 50_000 }, () => Math.floor(Math.random() * 256))).toString(
      'latin1',
    );
    const first = await deploy(await release('1.0.0', { 'large.js': large, 'noise.js': incompressible }));
    const second = await deploy(await release('1.1.0', { 'large.js': large, 'noise.js': incompressible }));
    expect(first.sentBytes).toBeGreaterThan(40_000);
    expect(second.sentBytes).toBeLessThan(2_000);
    expect(await runningVersion()).toBe('1.1.0');
  });

  it('keeps the release before, removes older ones and what only they held', async () => {
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await deploy(await release(version));
    expect(await releases()).toHaveLength(2);
    expect(await releases()).toContain(await current());
    // Three files a release, two of them shared by all.
    expect(await readdir(join(layout.deployFolder, 'objects'))).toHaveLength(4);
  });

  it('keeps a release of which a process still runs, as a monitor of running containers', async () => {
    const first = await deploy(await release('1.0.0', { 'monitor.js': 'setInterval(() => undefined, 1000)' }));
    const monitor = join(layout.deployFolder, 'releases', first.release, 'monitor.js');
    await ssh.check(
      `setsid '${process.execPath}' '${monitor}' </dev/null >/dev/null 2>&1 & echo $! > '${folder}/monitor.pid'`,
      { signal: never },
    );
    try {
      for (const version of ['1.1.0', '1.2.0', '1.3.0']) await deploy(await release(version));
      expect(await releases()).toContain(first.release);
    } finally {
      await ssh.check(`kill -KILL "$(cat '${folder}/monitor.pid')"`, { signal: never });
    }
  });

  it('goes back to the release before when the new one does not come up, and says why', async () => {
    const good = await deploy(await release('1.0.0'));
    const broken = await release('2.0.0', { 'skiffd.js': 'throw new Error("a part is missing")' });
    await expect(deploy(broken)).rejects.toMatchObject({
      code: 'deploy-failed',
      message: expect.stringMatching(/did not come up: .*The earlier release runs again\.[^]*a part is missing/),
    });
    expect(await current()).toBe(good.release);
    expect(await runningVersion()).toBe('1.0.0');
  });

  it('fails a first release that does not come up, without anything to go back to', async () => {
    const broken = await release('2.0.0', { 'skiffd.js': 'process.exit(3)' });
    await expect(deploy(broken)).rejects.toThrow(/no earlier release to go back to/);
  });

  it('is not taken in by an engine that says another version', async () => {
    const lying = await release('2.0.0', { 'skiffd.js': program('1.0.0') });
    await expect(deploy(lying)).rejects.toThrow(/says that it is version 1\.0\.0, not 2\.0\.0/);
  });

  it('begins anew over what a deployment that was cut off has left', async () => {
    const what = await release('1.0.0');
    await mkdir(join(layout.deployFolder, 'incoming'), { recursive: true });
    await writeFile(join(layout.deployFolder, 'incoming', 'half'), 'a file');
    const { release: name } = await deploy(what);
    await rm(join(layout.deployFolder, 'releases', name, 'run'));
    expect(await deploy(await release('1.0.1'))).toMatchObject({ isNew: true });
    expect(await deploy(what)).toMatchObject({ release: name, isNew: true });
    expect(await runningVersion()).toBe('1.0.0');
  });

  it('brings a Node runtime of its own when the machine has another one', async () => {
    // Not the real one again, whose hundred megabytes take seconds on their way; what it runs shows its path as its own.
    const file = join(folder, 'small-node');
    await writeFile(file, `#!/bin/bash\nexec -a "$0" '${process.execPath}' "$@"\n`);
    const sha256 = createHash('sha256')
      .update(await readFile(file))
      .digest('hex');
    let asked = 0;
    const node: WantedNode = {
      version: process.versions.node,
      sha256,
      file: () => {
        asked++;
        return Promise.resolve(file);
      },
    };
    await deploy(await release('1.0.0'), { node });
    await deploy(await release('1.1.0'), { node });
    expect(asked).toBe(1);
    const { commandLine } = (await readProcess(await enginePid())) ?? { commandLine: '' };
    expect(commandLine).toContain(join(layout.deployFolder, 'node', sha256, 'bin', 'node'));
  });

  it('refuses a runtime that is not what it was said to be', async () => {
    const node: WantedNode = {
      version: '24',
      sha256: 'c'.repeat(64),
      file: () => Promise.resolve(join(folder, 'restart')),
    };
    await expect(deploy(await release('1.0.0'), { node })).rejects.toThrow(/arrived damaged/);
  });

  it('refuses a release that was replaced meanwhile', async () => {
    const what = await release('1.0.0');
    await writeFile(join(what.filesFolder, 'skiffd.js'), program('1.0.1'));
    await expect(deploy(what)).rejects.toThrow(/built anew while it was sent \(skiffd\.js\)/);
  });

  it('refuses a machine with another processor', async () => {
    const other = await release('1.0.0');
    const foreign = { ...other, manifest: { ...other.manifest, arch: arch === 'x64' ? 'arm64' : 'x64' } } as const;
    await expect(deploy(foreign)).rejects.toThrow(/this engine is made for/);
  });
});
