import type { SQLOutputValue } from 'node:sqlite';
import { type ContainerId, parseContainerId } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import type { DiskReserve } from '../store/disk-reserve.ts';

export interface VolumeRow {
  readonly name: string;
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  /** `removing`: what is left of it goes at the next boot, if not before. */
  readonly state: 'ready' | 'removing';
}

/** The statements of this room: tables `volumes` and `volume_uses`. */
export class VolumeRows {
  readonly #database: Database;
  /** For what removes volumes, on a full disk. */
  readonly #reserve: Pick<DiskReserve, 'around'>;

  constructor(database: Database, reserve: Pick<DiskReserve, 'around'>) {
    this.#database = database;
    this.#reserve = reserve;
  }

  all(): readonly VolumeRow[] {
    return this.#database.sql.prepare('SELECT * FROM volumes ORDER BY name').all().map(volumeRow);
  }

  find(name: string): VolumeRow | null {
    const row = this.#database.sql.prepare('SELECT * FROM volumes WHERE name = ?').get(name);
    return row === undefined ? null : volumeRow(row);
  }

  insert(row: VolumeRow): void {
    this.#database.sql
      .prepare('INSERT INTO volumes (name, created_at, labels, options, state) VALUES (?, ?, ?, ?, ?)')
      .run(row.name, row.createdAt, JSON.stringify(row.labels), JSON.stringify(row.options), row.state);
  }

  /** False when a container uses it: looked at and written in one step. */
  beginRemoval(name: string): boolean {
    const sql = `UPDATE volumes SET state = 'removing'
                  WHERE name = ? AND NOT EXISTS (SELECT 1 FROM volume_uses WHERE volume = volumes.name)`;
    return this.#reserve.around(() => this.#database.sql.prepare(sql).run(name)).changes === 1;
  }

  delete(name: string): void {
    const forget = this.#database.sql.prepare('DELETE FROM volumes WHERE name = ?');
    this.#reserve.around(() => forget.run(name));
  }

  usersOf(name: string): readonly ContainerId[] {
    return this.#database.sql
      .prepare('SELECT container FROM volume_uses WHERE volume = ?')
      .all(name)
      .map((row) => parseContainerId(String(row['container'])));
  }

  use(name: string, container: ContainerId): void {
    this.#database.sql
      .prepare('INSERT OR IGNORE INTO volume_uses (volume, container) VALUES (?, ?)')
      .run(name, container);
  }

  giveBack(container: ContainerId): void {
    const forget = this.#database.sql.prepare('DELETE FROM volume_uses WHERE container = ?');
    this.#reserve.around(() => forget.run(container));
  }
}

function volumeRow(row: Readonly<Record<string, SQLOutputValue>>): VolumeRow {
  return {
    name: String(row['name']),
    createdAt: String(row['created_at']),
    labels: JSON.parse(String(row['labels'])) as VolumeRow['labels'],
    options: JSON.parse(String(row['options'])) as VolumeRow['options'],
    state: row['state'] === 'removing' ? 'removing' : 'ready',
  };
}
