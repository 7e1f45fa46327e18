import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { engineRelease, readEngineRelease } from '../../provisioners/deploy/engine-release.ts';
import type { Machines, MachineSettings } from '../../provisioners/machines.ts';
import { openRelease, ownCheckout } from '../../provisioners/machines/engine-source.ts';
import { openMachines } from '../../provisioners/machines/open-machines.ts';
import type { Operation } from '../../provisioners/progress.ts';
import { keyFingerprint, publicKeyBlob } from '../../provisioners/ssh/keys.ts';
import type { BootedHost, BootedHostOptions } from './booted-host.ts';
import { startBootedHost } from './booted-host.ts';
import { fetchPackages, userCache } from './debian-packages.ts';
import type { ProgramResult } from './program.ts';
import { runProgram as runToEnd, skiffCommand } from './program.ts';

const runProgram = promisify(execFile);
export const operation: Operation = { report: () => undefined, signal: new AbortController().signal };
/** Of the user `worker`, whom sudo asks; the user `trusted` it does not ask. */
export const password = 'a-password-of-worker';

interface OtherComputer {
  readonly machine: (...words: readonly string[]) => Promise<ProgramResult>;
  readonly docker: (machine: string, ...words: readonly string[]) => Promise<string>;
}

/** A whole host that users can log into and become root on, and the machines of a computer beside it. */
export class HostOfUsers implements AsyncDisposable {
  readonly host: BootedHost;
  readonly machines: Machines;
  readonly #home: string;

  private constructor(host: BootedHost, home: string) {
    this.host = host;
    this.#home = home;
    this.machines = this.machinesWith({});
  }

  static async start(options: Omit<BootedHostOptions, 'users'>): Promise<HostOfUsers> {
    const sudo = { name: 'sudo-bookworm', suite: 'bookworm', packages: ['sudo'], proof: 'usr/bin/sudo' };
    // Another root has one of its own.
    const more = options.root === undefined ? [fetchPackages({ cacheFolder: userCache(), ...sudo })] : [];
    const host = await startBootedHost({
      ...options,
      extra: [...(options.extra ?? []), ...more],
      users: [
        { name: 'worker', password, sudo: 'asks' },
        { name: 'trusted', password, sudo: 'trusts' },
      ],
    });
    const home = await mkdtemp(join(tmpdir(), 'skiff-booted-home-'));
    await writeFile(join(home, 'id_user'), host.identity.privateKey, { mode: 0o600 });
    return new HostOfUsers(host, home);
  }

  machinesWith(more: Readonly<Record<string, string>>): Machines {
    const environment = { ...process.env, DOCKER_CONFIG: join(this.#home, 'docker'), ...more };
    return openMachines({ home: this.#home, environment });
  }

  settings(user: string): MachineSettings {
    return {
      ipAddress: this.host.host,
      sshPort: this.host.port,
      sshUser: user,
      sshKey: join(this.#home, 'id_user'),
      hostKey: keyFingerprint(publicKeyBlob(this.host.hostKey.publicKey)),
    };
  }

  /** The same, as flags of `machine create --driver generic`. */
  flags(user: string): readonly string[] {
    const { ipAddress, sshPort, sshUser, sshKey, hostKey } = this.settings(user);
    const flags = {
      'ip-address': ipAddress,
      'ssh-port': sshPort,
      'ssh-user': sshUser,
      'ssh-key': sshKey,
      'host-key': hostKey,
    };
    return Object.entries(flags).flatMap(([name, value]) => [`--generic-${name}`, String(value)]);
  }

  /** Another computer's Skiff, by its command line, and a docker CLI there; it goes with this one. */
  async otherComputer(): Promise<OtherComputer> {
    const home = await mkdtemp(join(this.#home, 'other-'));
    const environment = { SKIFF_HOME: home, DOCKER_CONFIG: join(home, 'docker') };
    const [file, ...skiff] = skiffCommand;
    return {
      machine: (...words) => runToEnd(file, [...skiff, 'machine', ...words], { environment, timeoutMs: 120_000 }),
      docker: async (name, ...words) => {
        const context = ['--context', `skiff-${name}`];
        return (await runToEnd('docker', [...context, ...words], { environment, timeoutMs: 60_000 })).stdout;
      },
    };
  }

  async docker(name: string, ...words: readonly string[]): Promise<string> {
    const { dockerHost } = await this.machines.inspect(name);
    return (await runProgram('docker', ['-H', dockerHost, ...words], { timeout: 60_000 })).stdout;
  }

  /** What an engine leaves on a host; empty when there is nothing. */
  leftovers(): string {
    const places = '/var/lib/skiff /run/skiff /var/log/skiffd.log /etc/systemd/system/*skiff* /etc/init.d/skiffd';
    return this.host.run(`ls -d ${places} /etc/runlevels/*/skiffd 2>/dev/null || true`);
  }

  /** A cache folder whose engine is the one that runs here, but for its program, which `change` makes another. */
  async changedEngine(change: (program: string) => string): Promise<string> {
    const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
    const cache = await mkdtemp(join(this.#home, 'cache-'));
    const own = dirname((await openRelease(ownCheckout(), { cacheDir: userCache(), arch })).filesFolder);
    const folder = join(cache, 'engine-releases', basename(own));
    await cp(own, folder, { recursive: true, preserveTimestamps: true });
    await symlink(join(userCache(), 'node'), join(cache, 'node'));
    const release = await readEngineRelease(folder);
    const program = join(release.filesFolder, 'main.js');
    const content = change(await readFile(program, 'utf8'));
    await writeFile(program, content);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const files = release.manifest.files.map((file) =>
      file.path === 'main.js' ? { path: file.path, sha256, sizeBytes: Buffer.byteLength(content) } : file,
    );
    const { manifest } = engineRelease(folder, { ...release.manifest, files });
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest));
    return cache;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const machines = this.machinesWith({ SKIFF_SUDO_PASSWORD: password });
    try {
      for (const { name } of await machines.list()) await machines.remove(name, operation);
    } finally {
      await this.host[Symbol.asyncDispose]();
      await rm(this.#home, { recursive: true, force: true });
    }
  }
}
