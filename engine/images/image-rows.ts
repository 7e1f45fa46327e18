import type { SQLOutputValue } from 'node:sqlite';
import { type ChainId, type ImageId, parseChainId, parseDigest } from '../model/ids.ts';
import { formatInstant, type Instant, parseInstant } from '../model/time.ts';
import type { Database } from '../store/database.ts';
import { formatReference, parseReference, type Reference } from './reference.ts';

export interface ImageRow {
  readonly id: ImageId;
  readonly configText: string;
  readonly topLayer: ChainId | null;
}

export interface TagRow {
  readonly reference: Reference;
  readonly taggedAt: Instant;
}

/** The statements of this room: tables `images` and `tags`. */
export class ImageRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  transaction<T>(work: () => T): T {
    return this.#database.transaction(work);
  }

  all(): readonly ImageRow[] {
    return this.#database.sql.prepare('SELECT * FROM images').all().map(imageRow);
  }

  find(id: ImageId): ImageRow | null {
    const row = this.#database.sql.prepare('SELECT * FROM images WHERE id = ?').get(id);
    return row === undefined ? null : imageRow(row);
  }

  /** At most two: more do not matter to who looks for one. `prefix` is `sha256:` and hexadecimal digits. */
  startingWith(prefix: string): readonly ImageId[] {
    const rows = this.#database.sql.prepare("SELECT id FROM images WHERE id GLOB ? || '*' LIMIT 2").all(prefix);
    return rows.map((row) => parseDigest(String(row['id'])));
  }

  add(row: ImageRow, now: Instant): void {
    this.#database.sql
      .prepare('INSERT INTO images (id, config, top_layer, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING')
      .run(row.id, row.configText, row.topLayer, formatInstant(now));
  }

  delete(id: ImageId): void {
    this.#database.sql.prepare('DELETE FROM images WHERE id = ?').run(id);
  }

  /** In the order of the alphabet. */
  tagsOf(id: ImageId): readonly TagRow[] {
    const rows = this.#database.sql.prepare('SELECT * FROM tags WHERE image = ? ORDER BY reference').all(id);
    return rows.map((row) => ({
      reference: parseReference(String(row['reference'])),
      taggedAt: parseInstant(String(row['tagged_at'])) ?? 0n,
    }));
  }

  taggedImage(reference: Reference): ImageId | null {
    const row = this.#database.sql
      .prepare('SELECT image FROM tags WHERE reference = ?')
      .get(formatReference(reference));
    return row === undefined ? null : parseDigest(String(row['image']));
  }

  setTag(reference: Reference, image: ImageId, now: Instant): void {
    this.#database.sql
      .prepare(
        `INSERT INTO tags (reference, image, tagged_at) VALUES (?, ?, ?)
         ON CONFLICT (reference) DO UPDATE SET image = excluded.image, tagged_at = excluded.tagged_at`,
      )
      .run(formatReference(reference), image, formatInstant(now));
  }

  deleteTag(reference: Reference): void {
    this.#database.sql.prepare('DELETE FROM tags WHERE reference = ?').run(formatReference(reference));
  }
}

function imageRow(row: Readonly<Record<string, SQLOutputValue>>): ImageRow {
  const topLayer = row['top_layer'];
  return {
    id: parseDigest(String(row['id'])),
    configText: String(row['config']),
    topLayer: typeof topLayer === 'string' ? parseChainId(topLayer) : null,
  };
}
