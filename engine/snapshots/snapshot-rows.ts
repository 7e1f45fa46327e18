import type { SQLOutputValue } from 'node:sqlite';
import type { ContainerId } from '../model/ids.ts';
import { parseContainerId } from '../model/ids.ts';
import type { Database } from '../store/database.ts';

export interface Snapshot {
  /** 64 hexadecimal digits; the name of its folder. */
  readonly id: string;
  readonly container: ContainerId;
  /** One of its kind in its container. */
  readonly name: string;
  readonly comment: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Of the files in it. */
  readonly sizeBytes: number;
}

/** The statements of this room: tables `snapshots` and `snapshot_work`. */
export class SnapshotRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Oldest first. */
  of(container: ContainerId): readonly Snapshot[] {
    return this.#database.sql
      .prepare('SELECT * FROM snapshots WHERE container = ? ORDER BY created_at, name')
      .all(container)
      .map(snapshotOf);
  }

  add(snapshot: Snapshot): void {
    const { id, container, name, comment, createdAt, sizeBytes } = snapshot;
    this.#database.sql
      .prepare('INSERT INTO snapshots (id, container, name, comment, created_at, size_bytes) VALUES (?, ?, ?, ?, ?, ?)')
      .run(id, container, name, comment, createdAt, sizeBytes);
  }

  delete(id: string): void {
    this.#database.sql.prepare('DELETE FROM snapshots WHERE id = ?').run(id);
  }

  /** Work on a container's folder begins. `isPaused`: it is made to stand still for that. */
  begin(container: ContainerId, isPaused: boolean): void {
    this.#database.sql
      .prepare(
        `INSERT INTO snapshot_work (container, is_paused) VALUES (?, ?)
         ON CONFLICT (container) DO UPDATE SET is_paused = excluded.is_paused`,
      )
      .run(container, isPaused ? 1 : 0);
  }

  end(container: ContainerId): void {
    this.#database.sql.prepare('DELETE FROM snapshot_work WHERE container = ?').run(container);
  }

  /** What was under way when the last engine ended. */
  interrupted(): readonly { readonly container: ContainerId; readonly isPaused: boolean }[] {
    return this.#database.sql
      .prepare('SELECT container, is_paused FROM snapshot_work')
      .all()
      .map((row) => ({ container: parseContainerId(String(row['container'])), isPaused: row['is_paused'] === 1 }));
  }
}

function snapshotOf(row: Readonly<Record<string, SQLOutputValue>>): Snapshot {
  return {
    id: String(row['id']),
    container: parseContainerId(String(row['container'])),
    name: String(row['name']),
    comment: String(row['comment']),
    createdAt: String(row['created_at']),
    sizeBytes: Number(row['size_bytes']),
  };
}
