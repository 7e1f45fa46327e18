import { DatabaseSync } from 'node:sqlite';

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Whom containers gave files to. On the user's computer all files are the user's own; what a container's `chown` says is kept here, by path, so
 * that a database that insists on owning its folder finds that it does. What lies below a folder that was given to somebody is theirs too.
 * Nobody else's files have an owner of their own: they belong to whoever looks.
 */
export class Owners implements Disposable {
  readonly #database: DatabaseSync;
  readonly #byPath = new Map<string, Owner>();

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    // A power cut may cost the last changes, not the file.
    this.#database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; CREATE TABLE IF NOT EXISTS owners (path BLOB PRIMARY KEY, uid INTEGER, gid INTEGER) WITHOUT ROWID',
    );
    for (const row of this.#database.prepare('SELECT path, uid, gid FROM owners').iterate()) {
      const { path, uid, gid } = row;
      if (path instanceof Uint8Array && typeof uid === 'number' && typeof gid === 'number')
        this.#byPath.set(Buffer.from(path).toString('latin1'), { uid, gid });
    }
  }

  /** Of `path` (latin1) or of the nearest folder above it; null when nobody was given any of them. */
  of(path: string): Owner | null {
    if (this.#byPath.size === 0) return null;
    for (let at = path; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
      const owner = this.#byPath.get(at);
      if (owner !== undefined) return owner;
    }
    return null;
  }

  give(path: string, owner: Owner): void {
    const inherited = this.of(path.slice(0, path.lastIndexOf('/')));
    if (inherited?.uid === owner.uid && inherited.gid === owner.gid) return this.forget(path);
    this.#put(path, owner);
  }

  /** Removed, on either side. What lay below it went before. */
  forget(path: string): void {
    if (!this.#byPath.delete(path)) return;
    this.#database.prepare('DELETE FROM owners WHERE path = ?').run(Buffer.from(path, 'latin1'));
  }

  /** A file that is replaced goes; what lies in a folder comes along. */
  move(from: string, to: string): void {
    if (this.#byPath.size === 0) return;
    this.forget(to);
    for (const [path, owner] of [...this.#byPath]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.forget(path);
      this.#put(to + path.slice(from.length), owner);
    }
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #put(path: string, owner: Owner): void {
    this.#byPath.set(path, owner);
    this.#database
      .prepare('INSERT OR REPLACE INTO owners (path, uid, gid) VALUES (?, ?, ?)')
      .run(Buffer.from(path, 'latin1'), owner.uid, owner.gid);
  }
}
