/** skiffd's side of shared folders: what is shared, who has it bound, and the program that mounts it, which runs while somebody has. */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { ShareList } from '../../api/shares/shares.ts';
import { startLastingProgram } from '../kernel/lasting-program.ts';
import { EngineError, internal } from '../model/errors.ts';
import type { ContainerId } from '../model/ids.ts';
import { handOver } from './hand-over.ts';
import { shareOf } from './share-of.ts';
import type { Found, Shares } from './shares.ts';
import { ProgramConnection, type Call, connectTo, controlSocket, filesSocket } from './wire.ts';

export interface OpenSharesOptions {
  /** Of the program's sockets and mounts, below the exec root. */
  readonly folder: string;
  /** What containers gave to whom; on the data root. */
  readonly ownersFile: string;
  readonly kept: { readonly read: () => string | null; readonly write: (text: string) => void };
  readonly report: (message: string) => void;
  readonly lonelyMs?: number;
}

/** The stream to the user's computer, or what stands for it when the program has it. */
interface Attached {
  stream: Duplex;
  readonly ended: PromiseWithResolvers<void>;
}

const readyTimeoutMs = 15_000;
const nothing: ShareList = { folders: [], whenMissing: 'make', machine: '' };

/** Touches nothing until something is shared. */
export function openShares(options: OpenSharesOptions): Shares {
  return new ProgramShares(options);
}

class ProgramShares implements Shares {
  readonly #options: OpenSharesOptions;
  readonly #program = fileURLToPath(new URL('./main.ts', import.meta.url));
  readonly #held = new Map<ContainerId, Set<string>>();
  #list: ShareList;
  #connection: Promise<ProgramConnection> | null = null;
  #attached: Attached | null = null;
  #state: 'open' | 'closed' = 'open';
  #lonely: NodeJS.Timeout | null = null;

  constructor(options: OpenSharesOptions) {
    this.#options = options;
    this.#list = readList(options.kept.read());
  }

  get list(): ShareList {
    return this.#list;
  }

  async configure(list: ShareList): Promise<void> {
    const text = JSON.stringify(list);
    if (text === JSON.stringify(this.#list)) return;
    this.#options.kept.write(text);
    this.#list = list;
    const connection = await this.#current();
    if (connection !== null) await this.#tellAll(connection);
  }

  async attach(stream: Duplex): Promise<void> {
    const attached: Attached = { stream, ended: Promise.withResolvers() };
    endWith(attached);
    const before = this.#attached;
    this.#attached = attached;
    // The program ends one that is in use when all that it asked there is answered.
    if ((await this.#current()) === null) before?.stream.destroy();
    else await this.#join();
    await attached.ended.promise;
    if (this.#attached === attached) this.#attached = null;
  }

  isShared(source: string): boolean {
    return shareOf(this.#list.folders, source) !== null;
  }

  async find(source: string, whenMissing: 'make' | 'fail'): Promise<Found> {
    const found = await this.#call({ op: 'find', source, whenMissing });
    if (found === null) throw internal(`the shared folders did not say where ${source} is`);
    return found;
  }

  async hold(id: ContainerId, source: string, whenMissing: 'make' | 'fail'): Promise<Found> {
    const sources = this.#held.get(id) ?? new Set();
    this.#held.set(id, sources.add(source));
    const found = await this.find(source, whenMissing);
    void this.#watch();
    return found;
  }

  letGo(id: ContainerId): void {
    if (!this.#held.delete(id)) return;
    if (this.#held.size > 0) return void this.#watch();
    this.#endLater();
  }

  async restore(held: ReadonlyMap<ContainerId, readonly string[]>): Promise<void> {
    for (const [id, sources] of held) {
      const shared = sources.filter((source) => this.isShared(source));
      if (shared.length > 0) this.#held.set(id, new Set(shared));
    }
    const socket = await connectTo(controlSocket(this.#options.folder));
    if (socket === null) return;
    this.#connection ??= Promise.resolve(this.#follow(new ProgramConnection(socket)));
    await this.#tellAll(await this.#connection);
    if (this.#held.size === 0) this.#endLater();
  }

  async end(): Promise<void> {
    this.#held.clear();
    this.#options.kept.write('');
    this.#list = nothing;
    const connection = await this.#current();
    if (connection !== null) await endProgram(connection);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#state = 'closed';
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    this.#attached?.stream.destroy();
    (await this.#current())?.[Symbol.dispose]();
  }

  /** Once more when the program was on its way out. */
  async #call(call: Call): Promise<Found | null> {
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    if (this.#held.size === 0) this.#endLater();
    const connection = await this.#ensure();
    try {
      return await connection.call(call);
    } catch (error) {
      if (!connection.isClosed || this.#state === 'closed') throw error;
      return await (await this.#ensure()).call(call);
    }
  }

  /** Null where none runs. */
  async #current(): Promise<ProgramConnection | null> {
    try {
      return await this.#connection;
    } catch {
      return null; // it never came to be, and whoever asked for it was told
    }
  }

  async #ensure(): Promise<ProgramConnection> {
    if (this.#state === 'closed') throw new EngineError('unavailable', 'the engine is shutting down');
    this.#connection ??= this.#start();
    const opening = this.#connection;
    try {
      return await opening;
    } catch (error) {
      if (this.#connection === opening) this.#connection = null;
      throw error;
    }
  }

  async #start(): Promise<ProgramConnection> {
    const { folder, ownersFile } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    await startLastingProgram({
      what: 'program of the shared folders',
      program: this.#program,
      args: ['--folder', folder, '--owners', ownersFile],
      logPath: path.join(folder, 'log'),
      heapMegabytes: 128,
      readyTimeoutMs,
    });
    const socket = await connectTo(controlSocket(folder));
    if (socket === null) throw internal('the program of the shared folders ended as soon as it was started');
    const connection = this.#follow(new ProgramConnection(socket));
    await this.#tellAll(connection);
    await this.#join();
    return connection;
  }

  #follow(connection: ProgramConnection): ProgramConnection {
    void connection.closed.then(() => {
      this.#connection = null;
      if (this.#state === 'closed' || this.#held.size === 0) return;
      this.#options.report(
        'the program of the shared folders has ended: containers that have them bound must be restarted',
      );
    });
    return connection;
  }

  async #tellAll(connection: ProgramConnection): Promise<void> {
    await connection.call({ op: 'share', folders: this.#list.folders });
    if (this.#held.size > 0) void this.#watch();
  }

  /** Whose changes nobody can be told of is watched with the next stream. */
  async #watch(): Promise<void> {
    const sources = [...new Set([...this.#held.values()].flatMap((some) => [...some]))];
    try {
      await (await this.#current())?.call({ op: 'watch', sources });
    } catch (error) {
      if (this.#state === 'open') this.#options.report(`changes of shared folders are not heard of: ${String(error)}`);
    }
  }

  async #join(): Promise<void> {
    const attached = this.#attached;
    if (attached === null || attached.stream.destroyed) return;
    const { stream } = attached;
    const { folder } = this.#options;
    const handed = await handOver(stream, folder);
    if (handed !== null) {
      attached.stream = handed;
      return endWith(attached);
    }
    // Then its bytes pass through here.
    const socket = await connectTo(filesSocket(folder));
    if (socket === null) return;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => stream.destroy());
    stream.once('close', () => socket.destroy());
    if (stream.destroyed) socket.destroy();
    else stream.pipe(socket).pipe(stream);
  }

  #endLater(): void {
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    this.#lonely = setTimeout(() => {
      if (this.#held.size > 0) return;
      void this.#current().then((connection) => (connection === null ? undefined : endProgram(connection)));
    }, this.#options.lonelyMs ?? 60_000).unref();
  }
}

/** Its end is all that is told of a connection that breaks. */
function endWith(attached: Attached): void {
  const { stream } = attached;
  stream.on('error', () => stream.destroy());
  stream.once('close', () => {
    if (attached.stream === stream) attached.ended.resolve();
  });
}

async function endProgram(connection: ProgramConnection): Promise<void> {
  try {
    await connection.call({ op: 'end' });
  } catch {
    // It ends while it answers, or had ended before.
  }
  await connection.closed;
}

function readList(text: string | null): ShareList {
  // Nobody but `configure` writes it.
  return text === null || text === '' ? nothing : (JSON.parse(text) as ShareList);
}
