import { spawn } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import type { Ran } from '../engine/docker.ts';
import { fetchPackages, userCache } from '../peers/debian-packages.ts';

/** docker compose as a plugin of the docker CLI, in a configuration folder of its own. */
export class Compose {
  readonly #configFolder: string;
  readonly #socket: string;
  readonly #projectFolder: string;

  /** `folder` must be there; configuration and project are put into it. */
  constructor(options: { readonly socket: string; readonly folder: string }) {
    const packages = fetchPackages({
      cacheFolder: userCache(),
      name: 'compose-sid',
      packages: ['docker-compose'],
      proof: 'usr/libexec/docker/cli-plugins/docker-compose',
    });
    this.#socket = options.socket;
    this.#projectFolder = path.join(options.folder, 'project');
    this.#configFolder = path.join(options.folder, 'config');
    mkdirSync(path.join(this.#configFolder, 'cli-plugins'), { recursive: true });
    mkdirSync(this.#projectFolder, { recursive: true });
    symlinkSync(
      path.join(packages, 'usr/libexec/docker/cli-plugins/docker-compose'),
      path.join(this.#configFolder, 'cli-plugins/docker-compose'),
    );
  }

  get projectFolder(): string {
    return this.#projectFolder;
  }

  /** Runs `docker compose <words>` in the project's folder. Never throws for an exit code. */
  run(words: readonly string[], input = ''): Promise<Ran> {
    const child = spawn('docker', ['compose', '--ansi', 'never', '--progress', 'plain', ...words], {
      cwd: this.#projectFolder,
      env: {
        ...process.env,
        DOCKER_CONFIG: this.#configFolder,
        DOCKER_HOST: `unix://${this.#socket}`,
        COMPOSE_MENU: '0',
      },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: 60_000,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.stdin.on('error', () => undefined); // compose may end before it has read its input
    child.stdin.end(input);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve({ exitCode: code ?? -1, stdout, stderr }));
    });
  }
}
