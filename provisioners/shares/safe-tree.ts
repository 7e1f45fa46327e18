import { closeSync, constants, fstatSync, lstatSync, openSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/**
 * A folder of this computer, of which a machine may ask for whatever lies in it, and for nothing else. A path of the machine is walked name
 * by name and no link is ever followed: the machine's own kernel resolves links, so a path that has one in its middle is a mistake or an
 * attack. On Linux each step is taken from the descriptor of the folder before, so nothing that is moved meanwhile leads elsewhere. Other
 * systems cannot do that from Node: there each folder is looked at before the path is used, without letting go of the thread in between,
 * so that no request of the same machine comes between.
 */
export class SafeTree implements Disposable {
  readonly #root: string;
  readonly #rootFd: number | null;
  readonly #folders = new Map<string, { readonly fd: number; readonly untilMs: number }>();
  readonly #clock: () => number;

  /** Throws ENOENT, ENOTDIR when the folder is not there. `clock` in milliseconds. */
  constructor(root: string, clock: () => number = () => performance.now()) {
    // The share itself may be named by a link: it is the user who named it.
    this.#root = realpathSync(root);
    this.#clock = clock;
    this.#rootFd = process.platform === 'linux' ? openSync(this.#root, folderFlags) : null;
    if (this.#rootFd === null && !lstatSync(this.#root).isDirectory()) throw refusal('ENOTDIR', root);
  }

  /** Where the share really lies. */
  get root(): string {
    return this.#root;
  }

  /**
   * Calls `use` with a path that leads to `path` (names joined by `/`, latin1; empty: the share itself) and is good until it returns. The
   * last name may be a link, which `use` must not follow. Throws ENOENT, ENOTDIR, ELOOP; EINVAL for `..` and the like.
   */
  at<T>(path: string, use: (safePath: Buffer) => T): T {
    const names = namesOf(path);
    const last = names.pop();
    if (last === undefined) return use(bytesOf(this.#rootFd === null ? this.#root : `/proc/self/fd/${this.#rootFd}/.`));
    if (this.#rootFd === null) return use(this.#checked(names, last));
    const attempt = (): T =>
      use(Buffer.concat([bytesOf(`/proc/self/fd/${this.#folder(names)}/`), Buffer.from(last, 'latin1')]));
    try {
      return attempt();
    } catch (error) {
      if (!isMissing(error) || !this.#knowsRemoved(names)) throw error;
      this.forget();
      return attempt();
    }
  }

  /** A folder that was removed has no links; another one of its name may be there by now. */
  #knowsRemoved(names: readonly string[]): boolean {
    return names.some((_name, index) => {
      const known = this.#folders.get(names.slice(0, index + 1).join('/'));
      return known !== undefined && fstatSync(known.fd).nlink === 0;
    });
  }

  /** After something was moved or taken away: what is known of folders may be wrong. */
  forget(): void {
    for (const { fd } of this.#folders.values()) closeSync(fd);
    this.#folders.clear();
  }

  [Symbol.dispose](): void {
    this.forget();
    if (this.#rootFd !== null) closeSync(this.#rootFd);
  }

  #folder(names: readonly string[]): number {
    if (names.length === 0) return this.#rootFd ?? -1;
    const key = names.join('/');
    const known = this.#folders.get(key);
    if (known !== undefined && known.untilMs > this.#clock()) return known.fd;
    if (known !== undefined) closeSync(known.fd);
    this.#folders.delete(key);
    const parent = this.#folder(names.slice(0, -1));
    const name = Buffer.from(names.at(-1) ?? '', 'latin1');
    const fd = openSync(Buffer.concat([bytesOf(`/proc/self/fd/${parent}/`), name]), folderFlags);
    if (this.#folders.size >= mostKnownFolders) this.#forgetOldest();
    this.#folders.set(key, { fd, untilMs: this.#clock() + folderLifeMs });
    return fd;
  }

  #forgetOldest(): void {
    const [oldest] = this.#folders;
    if (oldest === undefined) return;
    closeSync(oldest[1].fd);
    this.#folders.delete(oldest[0]);
  }

  #checked(names: readonly string[], last: string): Buffer {
    let path = this.#root;
    for (const name of names) {
      path = join(path, nameOfSystem(name));
      const stats = lstatSync(path);
      if (stats.isSymbolicLink()) throw refusal('ELOOP', path);
      if (!stats.isDirectory()) throw refusal('ENOTDIR', path);
    }
    return bytesOf(join(path, nameOfSystem(last)));
  }
}

/** O_PATH: what can be looked up, not what may be read. */
const folderFlags = process.platform === 'linux' ? constants.O_DIRECTORY | constants.O_NOFOLLOW | 0x20_0000 : 0;

/** A folder that the user moves elsewhere is still taken for what it was for so long. */
const folderLifeMs = 1000;
const mostKnownFolders = 256;

function namesOf(path: string): string[] {
  const names = path.split('/').filter((name) => name !== '');
  const isBad = (name: string): boolean =>
    name === '.' || name === '..' || name.includes('\0') || (process.platform === 'win32' && /[\\:]/.test(name));
  if (names.some(isBad)) throw refusal('EINVAL', path);
  return names;
}

/** Names of other systems than Linux are Unicode. */
function nameOfSystem(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

function refusal(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** Opens without following a link and without waiting for the other end of a pipe; only ever files. The caller closes it. */
export function openFile(path: Buffer, flags: number, mode: number): number {
  const noFollow = process.platform === 'win32' ? 0 : constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const fd = openSync(path, flags | noFollow, mode);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw refusal('EPERM', 'not a file');
}
