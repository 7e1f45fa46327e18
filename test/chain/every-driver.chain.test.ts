/**
 * A machine of every driver as people make it: by the command line, killed in the middle and gone on with, used by docker, stopped, started,
 * removed. Vendors' tools are played; behind them runs a real sshd, and the engine that was deployed through it.
 */
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { writeSystemDisk } from '../../provisioners/machine-image/build.ts';
import { cacheFolder } from '../../provisioners/machine-image/cache.ts';
import { imageFixture, writeImageFixture } from '../../provisioners/machine-image/image.fixture.ts';
import { openRelease, ownCheckout } from '../../provisioners/machines/engine-source.ts';
import { keyFingerprint, publicKeyBlob } from '../../provisioners/ssh/keys.ts';
import type { Elsewhere } from '../peers/elsewhere/computer.ts';
import { openPlayedHyperv } from '../peers/hyperv/played-hyperv.ts';
import { playedNeeds } from '../peers/played-command.ts';
import type { RunningProgram } from '../peers/program.ts';
import { startProgram } from '../peers/program.ts';
import { sshdProgram, startSshd } from '../peers/sshd.ts';
import { openPlayedVfkit } from '../peers/vfkit/played-vfkit.ts';
import { openPlayedVirtualbox } from '../peers/virtualbox/played-virtualbox.ts';
import { openPlayedVmware } from '../peers/vmware/played-vmware.ts';
import { openPlayedWsl2 } from '../peers/wsl2/played-wsl2.ts';
import { describeWith } from '../skip.ts';
import { bundledSkiff } from './bundled-machines.ts';

/** Where a driver finds its tool, and what it makes. */
interface Peer extends AsyncDisposable {
  readonly environment: Variables;
  /** Absent: this one. */
  readonly computer?: Elsewhere['computer'];
  /** Of `machine create`. */
  readonly flags: readonly string[];
  /** All that there is of any machine outside of the machines' folders. */
  readonly left: () => Promise<readonly string[]> | readonly string[];
}

const small = ['--cpus', '1', '--memory', '1g', '--disk', '2g', '--mount', 'none'];
/** Where those look for SSH who are not told otherwise. */
const sshPort = 22;

const peers: Readonly<Record<string, (folder: string) => Promise<Peer>>> = {
  async virtualbox() {
    const peer = await openPlayedVirtualbox();
    const left = (): string[] => [...peer.register.machines().map(({ name }) => name), ...peer.register.media()];
    return { ...peer, flags: small, left };
  },
  async vmware() {
    const peer = await openPlayedVmware({ sshPort });
    return { ...peer, flags: small, left: () => peer.world.machines().map(({ vmx }) => vmx) };
  },
  async vfkit() {
    const peer = await openPlayedVfkit({ sshPort });
    const left = (): string[] => peer.running().map((pid) => `process ${pid}`);
    return { ...peer, computer: { platform: 'darwin', arch: 'arm64' }, flags: small, left };
  },
  async hyperv() {
    const peer = await openPlayedHyperv({ sshPort });
    const { environment } = peer.computer;
    const left = (): string[] => peer.host.vms().map(({ name }) => name);
    return { ...peer, environment, computer: { platform: 'win32', arch: 'x64' }, flags: small, left };
  },
  async wsl2() {
    const peer = await openPlayedWsl2();
    const { environment } = peer.computer;
    const left = (): string[] => peer.host.all().map(({ id }) => id);
    return { ...peer, environment, computer: { platform: 'win32', arch: 'x64' }, flags: ['--mount', 'none'], left };
  },
  local: (folder) =>
    Promise.resolve({
      environment: process.env,
      flags: ['--local-prefix', folder],
      left: () => filesBelow(folder),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
  async generic(folder) {
    const sshd = await startSshd();
    const key = join(sshd.folder, 'id_user');
    await writeFile(key, sshd.identity.privateKey, { mode: 0o600 });
    const flags = {
      'generic-ip-address': '127.0.0.1',
      'generic-ssh-port': String(sshd.port),
      'generic-ssh-user': sshd.user,
      'generic-ssh-key': key,
      'generic-host-key': keyFingerprint(publicKeyBlob(sshd.hostKey.publicKey)),
      'generic-prefix': folder,
    };
    return {
      environment: process.env,
      flags: Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]),
      left: () => filesBelow(folder),
      [Symbol.asyncDispose]: () => sshd[Symbol.asyncDispose](),
    };
  },
};

const needs = ['linux', 'root', { program: sshdProgram }, { program: 'docker' }, { program: 'crun' }] as const;
const tools = [playedNeeds, { program: 'qemu-img' }, { program: 'mkfs.erofs' }] as const;

describeWith([...needs, ...tools], 'by the command line, a machine', () => {
  let base: string;
  let cache: string;
  let imageDigest: string;

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'skiff-drivers-'));
    cache = join(base, 'cache');
    const own = dirname((await openRelease(ownCheckout(), { cacheDir: cacheFolder(), arch: 'x64' })).filesFolder);
    await mkdir(join(base, 'releases'));
    // The processor of a played Mac is this computer's.
    for (const arch of ['x64', 'arm64']) await symlink(own, join(base, 'releases', arch));
    imageDigest = await writeImage({ cache, work: join(base, 'image') });
    await symlink(dirname(own), join(cache, 'engine-releases'));
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  it.each(Object.entries(peers))(
    'of the driver %s is gone on with after a kill, runs its engine, is stopped, started and removed whole',
    async (driver, open) => {
      const [folder, home] = [join(base, `${driver}.root`), join(base, driver)];
      for (const path of [folder, home]) await mkdir(path);
      const machineImage = { url: 'http://127.0.0.1:1/manifest.json', sha256: imageDigest };
      await writeFile(join(home, 'settings.json'), JSON.stringify({ machineImage }));
      await using peer = await open(folder);
      const { left, computer } = peer;
      const isHost = ['local', 'generic'].includes(driver);
      const environment = {
        ...peer.environment,
        SKIFF_HOME: home,
        DOCKER_CONFIG: join(home, 'docker'),
        ...(isHost ? {} : { SKIFF_CACHE: cache }),
      };
      const elsewhere = computer === undefined ? null : { computer, releases: join(base, 'releases') };
      const { skiff, killed, version } = commandLine(environment, elsewhere);
      const create = ['create', '--driver', driver, ...peer.flags, 'web'];
      try {
        await killed(create);
        const states = await skiff('ls', '--format', '{{.Name}} {{.DriverName}} {{.State}}');
        expect(states).toMatch(new RegExp(`^web ${driver} .*[Cc]reat`));
        await skiff(...create);
        const variables = await skiff('env', '--shell', 'bash', 'web');
        expect(await version(variables)).toMatch(/^\d+\.\d+\.\d+/);
        await skiff('stop', 'web');
        // Refused while it runs.
        await skiff('start', 'web');
        expect(await version(variables)).toMatch(/^\d+\.\d+\.\d+/);
      } finally {
        await skiff('rm', '-f', 'web');
      }
      expect(await left()).toEqual([]);
      if (!isHost) await killed(create);
      // What is told of a machine in its folder is lost: a tag tells of what was made elsewhere.
      const isTagged = ['virtualbox', 'hyperv', 'wsl2'].includes(driver);
      if (isTagged) await rm(join(home, 'machines', 'web'), { recursive: true });
      if (isTagged) expect(await left()).not.toEqual([]);
      if (!isHost) await (isTagged ? skiff('gc', '-f') : skiff('rm', '-f', 'web'));
      expect(await left()).toEqual([]);
      expect(await readdir(join(home, 'machines'))).toEqual([]);
      expect(await filesBelow(join(home, 'docker'))).toEqual([]);
    },
  );
});

type Variables = Readonly<Record<string, string | undefined>>;

/** `skiff machine`, as a process, on this computer or on one of another kind. */
function commandLine(variables: Variables, elsewhere: Elsewhere | null) {
  const environment = Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
  const options = { environment, timeoutMs: 120_000 };
  const program = elsewhere === null ? [bundledSkiff('here')] : [bundledSkiff('elsewhere'), JSON.stringify(elsewhere)];
  const start = (words: readonly string[]): RunningProgram =>
    startProgram(process.execPath, [...program, 'machine', ...words], options);
  return {
    async skiff(...words: readonly string[]): Promise<string> {
      const { exitCode, stdout, stderr } = await start(words).ended;
      expect(exitCode, `${words.join(' ')}: ${stderr}`).toBe(0);
      return stdout;
    },
    /** As by kill -9, when the driver has begun. */
    async killed(words: readonly string[]): Promise<void> {
      await using making = start(words);
      await making.shows(/Starting the machine|Connecting to the host/, 60_000);
    },
    /** What docker says of the server that it finds by these lines of a shell. */
    async version(lines: string): Promise<string> {
      const script = `${lines}docker version --format '{{.Server.Version}}'`;
      return (await startProgram('sh', ['-c', script], options).ended).stdout;
    },
  };
}

/** An image as it is after a download, with as much in it as played computers look at; the digest that it is found by. */
async function writeImage({ cache, work }: { readonly cache: string; readonly work: string }): Promise<string> {
  const programs = join(work, 'root/usr/lib/skiff');
  await mkdir(programs, { recursive: true });
  await writeFile(join(programs, 'wsl-machine'), '');
  const path = join(work, 'system.erofs');
  await writeSystemDisk({ root: join(work, 'root'), path, signal: AbortSignal.timeout(30_000) });
  // As Linux calls a kernel for ARM that is not compressed.
  const kernel = Buffer.alloc(4096);
  kernel.write('ARMd', 0x38, 'latin1');
  const fixture = imageFixture({ kernel, 'system.erofs': await readFile(path) });
  const folder = join(cache, 'machine-images', `release-${fixture.manifestSha256.slice(0, 16)}`);
  await writeImageFixture({ fixture, folder });
  return fixture.manifestSha256;
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map(({ parentPath, name }) => join(parentPath, name));
}
