import type { Digest } from '../model/ids.ts';
import type { Database } from '../store/database.ts';

/** Where blobs were seen (table `blob_places`): a push to the same registry mounts them from there instead of sending them. */
export class BlobPlaces {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `repository` in full: `docker.io/library/hello`. */
  note(digests: readonly Digest[], repository: string): void {
    if (digests.length === 0) return;
    this.#database.transaction(() => {
      for (const digest of digests)
        this.#database.sql
          .prepare('INSERT INTO blob_places (digest, repository) VALUES (?, ?) ON CONFLICT DO NOTHING')
          .run(digest, repository);
    }, 'ordered');
  }

  /** A registry did not have it any more. */
  forget(digest: Digest, repository: string): void {
    this.#database.sql.prepare('DELETE FROM blob_places WHERE digest = ? AND repository = ?').run(digest, repository);
  }

  of(digest: Digest): readonly string[] {
    return this.#database.sql
      .prepare('SELECT repository FROM blob_places WHERE digest = ? ORDER BY repository')
      .all(digest)
      .map((row) => String(row['repository']));
  }
}
