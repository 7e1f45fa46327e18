import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { machinePaths, skiffHome } from '../../provisioners/store/home.ts';
import { parseMachineName } from '../../provisioners/store/machine-name.ts';
import { CommandError } from '../usage-error.ts';

/**
 * Contexts: engines by name. They live where docker's CLI keeps its own (`~/.docker/contexts`), so that both programs know the same
 * ones, and Skiff's machines are among them (provisioners write theirs there). Which one is current is each program's own affair:
 * Skiff notes it in its home. `default` is the machine of that name.
 */
export interface StoredContext {
  readonly name: string;
  readonly description: string;
  /** `unix:///path`, `tcp://host:port`; empty: none. */
  readonly host: string;
  readonly skipsVerify: boolean;
  /** The machine whose context it is, where its folder is this home's. */
  readonly machine: string | null;
  /** Names of the files of TLS material: ca.pem, cert.pem, key.pem. */
  readonly tlsFiles: readonly string[];
  /** What stands in the file, for `inspect` and `export`. */
  readonly document: ContextDocument;
}

/** docker's meta.json. */
export interface ContextDocument {
  readonly Name: string;
  readonly Metadata: Readonly<Record<string, unknown>>;
  readonly Endpoints: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify: boolean } };
}

type Environment = Readonly<Record<string, string | undefined>>;

export const defaultContext = 'default';
/** What one may be called. */
const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.+-]+$/;

export function checkContextName(name: string): void {
  if (name === defaultContext) throw new CommandError('"default" is a reserved context name');
  if (namePattern.test(name)) return;
  throw new CommandError(
    `context name "${name}" is invalid, names are validated against regexp "${namePattern.source}"`,
  );
}

export class ContextStore {
  readonly #environment: Environment;
  readonly #folder: string;

  constructor(environment: Environment) {
    this.#environment = environment;
    this.#folder = join(environment['DOCKER_CONFIG'] || join(homedir(), '.docker'), 'contexts');
  }

  /** By name. Files that are no contexts are left out. */
  list(): StoredContext[] {
    const meta = join(this.#folder, 'meta');
    if (!existsSync(meta)) return [];
    return readdirSync(meta)
      .map((id) => this.#read(id))
      .filter((context) => context !== null)
      .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
  }

  /** Null when there is none of that name. */
  find(name: string): StoredContext | null {
    return this.#read(idOf(name));
  }

  /** Throws CommandError when there is none. */
  get(name: string): StoredContext {
    const found = this.find(name);
    if (found) return found;
    throw new CommandError(
      `context "${name}": context not found: open ${this.#metaFile(name)}: no such file or directory`,
    );
  }

  /** Files are null where they are to stay as they are. */
  write(document: ContextDocument, tls: ReadonlyMap<string, Buffer> | null): void {
    const { meta, tls: tlsFolder } = this.folders(document.Name);
    mkdirSync(meta, { recursive: true, mode: 0o700 });
    const file = join(meta, 'meta.json');
    writeFileSync(`${file}.new`, JSON.stringify(document), { mode: 0o644 });
    renameSync(`${file}.new`, file);
    if (tls === null) return;
    rmSync(tlsFolder, { recursive: true, force: true });
    if (tls.size > 0) mkdirSync(join(tlsFolder, 'docker'), { recursive: true, mode: 0o700 });
    for (const [name, bytes] of tls) writeFileSync(join(tlsFolder, 'docker', name), bytes, { mode: 0o600 });
  }

  remove(name: string): void {
    const { meta, tls } = this.folders(name);
    rmSync(meta, { recursive: true, force: true });
    rmSync(tls, { recursive: true, force: true });
  }

  tlsFile(name: string, file: string): Buffer {
    return readFileSync(join(this.folders(name).tls, 'docker', file));
  }

  /** Where its files are. */
  folders(name: string): { readonly meta: string; readonly tls: string } {
    return { meta: join(this.#folder, 'meta', idOf(name)), tls: join(this.#folder, 'tls', idOf(name)) };
  }

  /** Of `skiff context use`. */
  current(): string {
    try {
      return readFileSync(this.#currentFile(), 'utf8').trim() || defaultContext;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return defaultContext;
      throw error;
    }
  }

  use(name: string): void {
    const file = this.#currentFile();
    if (name === defaultContext) {
      rmSync(file, { force: true });
      return;
    }
    mkdirSync(skiffHome({ environment: this.#environment }), { recursive: true, mode: 0o700 });
    writeFileSync(`${file}.new`, `${name}\n`);
    renameSync(`${file}.new`, file);
  }

  #currentFile(): string {
    return join(skiffHome({ environment: this.#environment }), 'context');
  }

  #metaFile(name: string): string {
    return join(this.folders(name).meta, 'meta.json');
  }

  #read(id: string): StoredContext | null {
    const file = join(this.#folder, 'meta', id, 'meta.json');
    if (!existsSync(file)) return null;
    const document = parseDocument(readFileSync(file, 'utf8'));
    if (document === null) return null;
    const tls = join(this.#folder, 'tls', id, 'docker');
    const { Description } = document.Metadata;
    const endpoint = document.Endpoints.docker;
    return {
      name: document.Name,
      description: typeof Description === 'string' ? Description : '',
      host: endpoint?.Host ?? '',
      skipsVerify: endpoint?.SkipTLSVerify ?? false,
      machine: this.#machineOf(document.Metadata['SkiffMachine']),
      tlsFiles: existsSync(tls) ? readdirSync(tls).sort() : [],
      document,
    };
  }

  #machineOf(folder: unknown): string | null {
    if (typeof folder !== 'string') return null;
    const name = basename(folder);
    const own = machinePaths(skiffHome({ environment: this.#environment }), parseMachineName(name)).folder;
    return own === folder ? name : null;
  }
}

export function idOf(name: string): string {
  // Loaded here: most commands look at no context, and it takes a tenth of their time.
  const { createHash } = process.getBuiltinModule('node:crypto');
  return createHash('sha256').update(name).digest('hex');
}

/** Null for what is no context. */
export function parseDocument(text: string): ContextDocument | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null; // A file that was cut off, or of another program: not a context.
  }
  if (typeof value !== 'object' || value === null || !('Name' in value) || typeof value.Name !== 'string') return null;
  const metadata = 'Metadata' in value ? recordOf(value.Metadata) : {};
  const docker = 'Endpoints' in value ? recordOf(value.Endpoints)['docker'] : undefined;
  const { Host, SkipTLSVerify } = recordOf(docker);
  return {
    Name: value.Name,
    Metadata: metadata,
    Endpoints: {
      docker: { ...(typeof Host === 'string' ? { Host } : {}), SkipTLSVerify: SkipTLSVerify === true },
    },
  };
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
