import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MachineError } from '../machines.ts';
import { isErrno, makePrivateFolder, readIfThere, syncFolder, writeFileAtomic } from './atomic-file.ts';
import type { HomePaths, MachinePaths } from './home.ts';
import { homePaths, machinePaths } from './home.ts';
import type { MachineDocument } from './machine-document.ts';
import { formatDocument, parseDocument } from './machine-document.ts';
import type { LockHolder, LockVerb } from './machine-lock.ts';
import { lockMachine, readLockHolder } from './machine-lock.ts';
import type { MachineName } from './machine-name.ts';
import { isMachineName } from './machine-name.ts';

/** The machines' folders below one home. Reading needs no lock; writing is for the holder of the machine's lock. */
export class MachineStore {
  readonly paths: HomePaths;
  readonly #home: string;
  #owner: string | null = null;

  constructor(home: string) {
    this.#home = home;
    this.paths = homePaths(home);
  }

  /**
   * Id of this installation, made when it is first asked for. Synchronous: one line, read once by who is about to change a
   * machine; two processes that make it at once agree, for the name can be taken once.
   */
  owner(): string {
    this.#owner ??= provideOwner(this.#home, this.paths.installation);
    return this.#owner;
  }

  /** Null where nothing was ever made: then nothing carries its tag. */
  knownOwner(): string | null {
    return this.#owner ?? readOwner(this.paths.installation);
  }

  machine(name: MachineName): MachinePaths {
    return machinePaths(this.#home, name);
  }

  /** In natural order: `web-2` before `web-10`. A folder without a document is a machine whose creation died at once. */
  async names(): Promise<MachineName[]> {
    let entries;
    try {
      entries = await readdir(this.paths.machines, { withFileTypes: true });
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
    const names = entries.flatMap((entry) => (entry.isDirectory() && isMachineName(entry.name) ? [entry.name] : []));
    return names.sort(new Intl.Collator('en', { numeric: true }).compare);
  }

  /** Null when there is no such machine; throws what is wrong with a document that cannot be read. */
  async read(name: MachineName): Promise<MachineDocument | null> {
    const path = this.machine(name).document;
    const text = await readIfThere(path);
    if (text === null) return null;
    const document = parseDocument(text, path);
    // A folder that was copied by hand would make two machines share one QEMU, one port and one context.
    if (document.name !== name) {
      throw new MachineError(
        'internal',
        `${path} describes machine "${document.name}", not "${name}"; rename the folder back`,
      );
    }
    return document;
  }

  async write(name: MachineName, document: MachineDocument): Promise<void> {
    await writeFileAtomic(this.machine(name).document, formatDocument(document));
  }

  /** Makes the machine's private folders. */
  async makeFolders(name: MachineName): Promise<void> {
    const paths = this.machine(name);
    await makePrivateFolder(this.#home);
    await makePrivateFolder(this.paths.machines);
    await makePrivateFolder(paths.folder);
    if (paths.sockets !== paths.folder) await makePrivateFolder(paths.sockets);
  }

  /** Removes everything of a machine; succeeds when it is gone already. */
  async removeFolders(name: MachineName): Promise<void> {
    const paths = this.machine(name);
    if (paths.sockets !== paths.folder) await rm(paths.sockets, { recursive: true, force: true });
    // The document goes last: until then a crash leaves a machine that can be removed again.
    const entries = await readdir(paths.folder).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    });
    for (const entry of entries) {
      if (join(paths.folder, entry) !== paths.document)
        await rm(join(paths.folder, entry), { recursive: true, force: true });
    }
    await rm(paths.folder, { recursive: true, force: true });
    if (entries.length > 0) await syncFolder(this.paths.machines);
  }

  async lock(name: MachineName, verb: LockVerb): Promise<AsyncDisposable> {
    await makePrivateFolder(this.#home);
    return lockMachine({ locksFolder: this.paths.locks, name, verb });
  }

  lockHolder(name: MachineName): Promise<LockHolder | null> {
    return readLockHolder({ locksFolder: this.paths.locks, name });
  }
}

function provideOwner(home: string, path: string): string {
  const known = readOwner(path);
  if (known !== null) return known;
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const made = randomBytes(8).toString('hex');
  try {
    writeFileSync(path, `${made}\n`, { flag: 'wx', mode: 0o600, flush: true });
    return made;
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
  const others = readOwner(path);
  if (others !== null) return others;
  // Whoever made it died before it was written, or somebody wrote into it: nothing can be tagged with nothing.
  throw new MachineError('internal', `${path} does not hold the id of this installation; remove that file`);
}

function readOwner(path: string): string | null {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
  return /^[0-9a-f]{16}$/.test(text.trim()) ? text.trim() : null;
}
