/** skiffd's side of the name server: finds it, starts it, tells it everything again when it is a new one. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startLastingProgram } from '../../kernel/lasting-program.ts';
import { EngineError, internal } from '../../model/errors.ts';
import type { ContainerId } from '../../model/ids.ts';
import { NameServerConnection } from './connection.ts';
import type { NameServer } from './name-server.ts';
import type { NamedContainer } from './named-container.ts';

export interface OpenNameServerOptions {
  /** Folder of its socket, below the exec root: one for each engine. */
  readonly folder: string;
  /** What no request can tell, for the engine's log. */
  readonly report: (message: string) => void;
  /** Of the host; another one in tests. */
  readonly resolvConf?: string;
  readonly idleMs?: number;
  /** Which program it is; default: told by its bytes. */
  readonly build?: string;
}

const readyTimeoutMs = 60_000;
/** A process for nobody is let go after that long; it ends by itself then. */
const lonelyMs = 30_000;
const freshMs = 1000;

/** Touches nothing but its folder until `restore`. */
export function openNameServer(options: OpenNameServerOptions): NameServer {
  mkdirSync(options.folder, { recursive: true, mode: 0o700 });
  return new ProcessNameServer(options);
}

class ProcessNameServer implements NameServer {
  readonly #options: OpenNameServerOptions;
  readonly #program = fileURLToPath(new URL('./main.ts', import.meta.url));
  readonly #containers = new Map<ContainerId, NamedContainer>();
  #connection: Promise<NameServerConnection> | null = null;
  #state: 'open' | 'closed' = 'open';
  #build: string | null = null;
  #startedAtMs = -Infinity;
  #lonely: NodeJS.Timeout | null = null;

  constructor(options: OpenNameServerOptions) {
    this.#options = options;
  }

  async restore(containers: readonly NamedContainer[]): Promise<void> {
    for (const container of containers) this.#containers.set(container.containerId, container);
    const left = await this.#findLeft();
    if (containers.length > 0) await this.#ensure();
    // Only now: in between, questions are answered by the one before.
    for (const connection of left) await connection.end();
    if (containers.length === 0) await (await this.#connect(this.#socketPath()))?.end();
  }

  async put(container: NamedContainer): Promise<void> {
    this.#containers.set(container.containerId, container);
    const failed = await this.#tell(async (connection) => {
      const isStillWanted = this.#containers.get(container.containerId) === container;
      return isStillWanted ? await connection.call({ op: 'put', container }) : [];
    });
    if (failed.length > 0) throw internal(failed.join('; '));
  }

  drop(id: ContainerId): void {
    if (!this.#containers.delete(id) || this.#connection === null) return;
    this.#letGoLater();
    this.#tell((connection) => connection.call({ op: 'drop', id })).catch((error: unknown) => {
      if (this.#state === 'open') this.#options.report(`the name server still has container ${id}: ${String(error)}`);
    });
  }

  prepare(): void {
    this.#letGoLater();
    this.#ensure().catch((error: unknown) => this.#options.report(String(error)));
  }

  async end(): Promise<void> {
    this.#containers.clear();
    const current = this.#connection;
    this.#state = 'closed';
    this.#connection = null;
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    await (await current)?.end();
    for (const connection of await this.#findLeft()) await connection.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
    await this.#close();
  }

  #letGoLater(): void {
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    this.#lonely = setTimeout(() => {
      if (this.#containers.size === 0) void this.#close();
    }, lonelyMs).unref();
  }

  async #close(): Promise<void> {
    const current = this.#connection;
    this.#connection = null;
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    try {
      (await current)?.[Symbol.dispose]();
    } catch {
      return; // it never came to be, and whoever asked for it was told
    }
  }

  /** Once more when the process was on its way out: a new one knows all that was told to the old. */
  async #tell(call: (connection: NameServerConnection) => Promise<readonly string[]>): Promise<readonly string[]> {
    try {
      return await call(await this.#ensure());
    } catch (error) {
      if (!(error instanceof EngineError) || error.kind !== 'unavailable' || this.#state === 'closed') throw error;
      return await call(await this.#ensure());
    }
  }

  async #ensure(): Promise<NameServerConnection> {
    if (this.#state === 'closed') throw new EngineError('unavailable', 'the engine is shutting down');
    this.#connection ??= this.#findOrStart();
    const opening = this.#connection;
    try {
      return await opening;
    } catch (error) {
      if (this.#connection === opening) this.#connection = null;
      throw error;
    }
  }

  async #findOrStart(): Promise<NameServerConnection> {
    const connection = (await this.#connect(this.#socketPath())) ?? (await this.#start());
    // One that was there may know containers that have ended since.
    const containers = [...this.#containers.values()];
    for (const reason of await connection.call({ op: 'replace', containers })) this.#options.report(reason);
    return connection;
  }

  async #start(): Promise<NameServerConnection> {
    const path = this.#socketPath();
    const { folder, resolvConf = '/etc/resolv.conf', idleMs = 10_000 } = this.#options;
    const where = ['--socket', path, '--build', this.#ownBuild(), '--resolv-conf', resolvConf];
    this.#startedAtMs = performance.now();
    await startLastingProgram({
      what: 'name server',
      program: this.#program,
      args: [...where, '--idle-ms', String(idleMs)],
      logPath: join(folder, 'log'),
      heapMegabytes: 64,
      readyTimeoutMs,
    });
    const connection = await this.#connect(path);
    if (connection === null) throw internal('the name server ended as soon as it was started');
    return connection;
  }

  async #connect(path: string): Promise<NameServerConnection | null> {
    const connection = await NameServerConnection.open(path, () => this.#lost(connection));
    if (connection === null) rmSync(path, { force: true });
    return connection;
  }

  /** Gone while containers count on it: another one takes its place. */
  #lost(connection: NameServerConnection | null): void {
    const current = this.#connection;
    const begin = (): void => {
      if (this.#state === 'open' && this.#containers.size > 0) this.prepare();
    };
    void current?.then(
      (known) => {
        if (known !== connection || this.#connection !== current) return;
        this.#connection = null;
        if (this.#state === 'closed' || this.#containers.size === 0) return;
        this.#options.report('the name server has ended, another one is started');
        // One that ends as soon as it is started must not be started without end.
        const isFresh = performance.now() - this.#startedAtMs < freshMs;
        setTimeout(begin, isFresh ? freshMs : 0).unref();
      },
      () => undefined, // told to whoever asked for it
    );
  }

  /** Those that a skiffd of another build started. */
  async #findLeft(): Promise<readonly NameServerConnection[]> {
    const paths = readdirSync(this.#options.folder)
      .filter((name) => name.endsWith('.sock'))
      .map((name) => join(this.#options.folder, name))
      .filter((path) => path !== this.#socketPath() || this.#state === 'closed');
    const opened = await Promise.all(paths.map((path) => this.#connect(path)));
    return opened.filter((connection) => connection !== null);
  }

  #socketPath(): string {
    return join(this.#options.folder, `${this.#ownBuild()}.sock`);
  }

  /** A bundle is its own identity; of sources, all in this folder count. */
  #ownBuild(): string {
    this.#build ??= this.#options.build ?? null;
    if (this.#build !== null) return this.#build;
    const hash = createHash('sha256');
    const folder = dirname(this.#program);
    const files = this.#program.endsWith('.ts')
      ? readdirSync(folder)
          .filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
          .sort()
          .map((name) => join(folder, name))
      : [this.#program];
    for (const file of files) hash.update(readFileSync(file));
    return (this.#build = hash.digest('hex').slice(0, 12));
  }
}
