import type { SQLOutputValue } from 'node:sqlite';
import { type ChainId, type ImageId, parseChainId, parseDigest } from '../model/ids.ts';
import { formatInstant, type Instant, parseInstant } from '../model/time.ts';
import type { Database, Durability } from '../store/database.ts';
import type { LayerBlob, StoredManifest } from './images.ts';
import { formatReference, parseReference, type Reference } from './reference.ts';

type Row = Readonly<Record<string, SQLOutputValue>>;

export interface ImageRow {
  readonly id: ImageId;
  readonly configText: string;
  readonly topLayer: ChainId | null;
  readonly parent: ImageId | null;
}

export interface TagRow {
  readonly image: ImageId;
  readonly reference: Reference;
  /** Null: nobody here gave it, the image brought it along. */
  readonly taggedAt: Instant | null;
}

export interface DigestRow {
  readonly image: ImageId;
  /** Without a tag. */
  readonly reference: Reference;
}

export interface LayerSize {
  readonly parent: ChainId | null;
  /** Of this layer alone. */
  readonly sizeBytes: number;
}

/** The statements of this room: the tables of images, of their names and of what registries have of them. */
export class ImageRows {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  transaction<T>(work: () => T, durability?: Durability): T {
    return this.#database.transaction(work, durability);
  }

  written(): Promise<void> {
    return this.#database.written();
  }

  all(): readonly ImageRow[] {
    return this.#all('SELECT * FROM images').map(imageRow);
  }

  find(id: ImageId): ImageRow | null {
    const row = this.#get('SELECT * FROM images WHERE id = ?', id);
    return row === undefined ? null : imageRow(row);
  }

  /** At most two: more do not matter to who looks for one. `prefix` is `sha256:` and hexadecimal digits. */
  startingWith(prefix: string): readonly ImageId[] {
    return this.#all("SELECT id FROM images WHERE id GLOB ? || '*' LIMIT 2", prefix).map(idOf);
  }

  childrenOf(id: ImageId): readonly ImageId[] {
    return this.#all('SELECT id FROM images WHERE parent = ?', id).map(idOf);
  }

  add(row: ImageRow, now: Instant): void {
    this.#run(
      'INSERT INTO images (id, config, top_layer, created_at, parent) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
      row.id,
      row.configText,
      row.topLayer,
      formatInstant(now),
      row.parent,
    );
  }

  /** With its digests; what registries have of it goes when no other image needs it. */
  delete(id: ImageId): void {
    this.#run('UPDATE images SET parent = NULL WHERE parent = ?', id);
    this.#run('DELETE FROM images WHERE id = ?', id);
    this.#run(
      `DELETE FROM manifests WHERE digest NOT IN (SELECT manifest FROM image_manifests)
         AND digest NOT IN (SELECT digest FROM repo_digests)`,
    );
  }

  /** Of one image, or of all. In the order of the alphabet. */
  tags(id?: ImageId): readonly TagRow[] {
    const rows =
      id === undefined
        ? this.#all('SELECT * FROM tags ORDER BY reference')
        : this.#all('SELECT * FROM tags WHERE image = ? ORDER BY reference', id);
    return rows.map((row) => ({
      image: parseDigest(String(row['image'])),
      reference: parseReference(String(row['reference'])),
      taggedAt: parseInstant(String(row['tagged_at'])),
    }));
  }

  taggedImage(reference: Reference): ImageId | null {
    const row = this.#get('SELECT image FROM tags WHERE reference = ?', formatReference(reference));
    return row === undefined ? null : parseDigest(String(row['image']));
  }

  /** `now` null: the image brought the name along. */
  setTag(reference: Reference, image: ImageId, now: Instant | null): void {
    this.#run(
      `INSERT INTO tags (reference, image, tagged_at) VALUES (?, ?, ?)
         ON CONFLICT (reference) DO UPDATE SET image = excluded.image, tagged_at = excluded.tagged_at`,
      formatReference(reference),
      image,
      now === null ? '' : formatInstant(now),
    );
  }

  deleteTag(reference: Reference): void {
    this.#run('DELETE FROM tags WHERE reference = ?', formatReference(reference));
  }

  /** Of one image, or of all. In the order of the alphabet. */
  digests(id?: ImageId): readonly DigestRow[] {
    const rows =
      id === undefined
        ? this.#all('SELECT * FROM repo_digests ORDER BY repository, digest')
        : this.#all('SELECT * FROM repo_digests WHERE image = ? ORDER BY repository, digest', id);
    return rows.map((row) => ({
      image: parseDigest(String(row['image'])),
      reference: parseReference(`${String(row['repository'])}@${String(row['digest'])}`),
    }));
  }

  /** The image that is called so by digest: where several are (platforms of one index), the one that came last. */
  digestedImage(reference: Reference): ImageId | null {
    const row = this.#get(
      'SELECT image FROM repo_digests WHERE repository = ? AND digest = ? ORDER BY rowid DESC LIMIT 1',
      repositoryOf(reference),
      reference.digest,
    );
    return row === undefined ? null : parseDigest(String(row['image']));
  }

  addDigest(reference: Reference, image: ImageId): void {
    this.#run(
      'INSERT OR REPLACE INTO repo_digests (image, repository, digest) VALUES (?, ?, ?)',
      image,
      repositoryOf(reference),
      reference.digest,
    );
  }

  deleteDigest(reference: Reference, image: ImageId): void {
    this.#run(
      'DELETE FROM repo_digests WHERE image = ? AND repository = ? AND digest = ?',
      image,
      repositoryOf(reference),
      reference.digest,
    );
  }

  manifestsOf(id: ImageId): readonly StoredManifest[] {
    const rows = this.#all(
      'SELECT manifests.* FROM manifests JOIN image_manifests ON manifest = digest WHERE image = ? ORDER BY image_manifests.rowid DESC',
      id,
    );
    return rows.map((row) => ({
      digest: parseDigest(String(row['digest'])),
      mediaType: String(row['media_type']),
      bytes: Buffer.from(row['body'] as Uint8Array), // a BLOB that is not null
    }));
  }

  addManifest(manifest: StoredManifest, image: ImageId): void {
    this.#run(
      'INSERT INTO manifests (digest, media_type, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
      manifest.digest,
      manifest.mediaType,
      manifest.bytes,
    );
    this.#run(
      'INSERT INTO image_manifests (image, manifest) VALUES (?, ?) ON CONFLICT DO NOTHING',
      image,
      manifest.digest,
    );
  }

  /** The newest first. */
  blobsOf(diffId: string): readonly LayerBlob[] {
    const rows = this.#all('SELECT * FROM layer_blobs WHERE diff_id = ? ORDER BY rowid DESC', diffId);
    return rows.map((row) => ({
      diffId: parseDigest(String(row['diff_id'])),
      digest: parseDigest(String(row['digest'])),
      mediaType: String(row['media_type']),
      sizeBytes: Number(row['size_bytes']),
    }));
  }

  addLayerBlob({ diffId, digest, mediaType, sizeBytes }: LayerBlob): void {
    this.#run(
      'INSERT INTO layer_blobs (diff_id, digest, media_type, size_bytes) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
      diffId,
      digest,
      mediaType,
      sizeBytes,
    );
  }

  layerSizes(): ReadonlyMap<ChainId, LayerSize> {
    return new Map(
      this.#all('SELECT chain_id, parent, size_bytes FROM layers').map((row) => [
        parseChainId(String(row['chain_id'])),
        { parent: parentOf(row), sizeBytes: Number(row['size_bytes']) },
      ]),
    );
  }

  /** Bytes of a layer and all below it. */
  stackSize(top: ChainId | null): number {
    const row = this.#get(
      `WITH RECURSIVE stack (parent, size_bytes) AS (
         SELECT parent, size_bytes FROM layers WHERE chain_id = ?
         UNION ALL SELECT below.parent, below.size_bytes FROM layers AS below JOIN stack ON below.chain_id = stack.parent
       ) SELECT coalesce(sum(size_bytes), 0) AS sum FROM stack`,
      top,
    );
    return Number(row?.['sum'] ?? 0);
  }

  #all(statement: string, ...values: readonly (string | null)[]): readonly Row[] {
    return this.#database.sql.prepare(statement).all(...values);
  }

  #get(statement: string, ...values: readonly (string | null)[]): Row | undefined {
    return this.#database.sql.prepare(statement).get(...values);
  }

  #run(statement: string, ...values: readonly (string | number | null | Uint8Array)[]): void {
    this.#database.sql.prepare(statement).run(...values);
  }
}

function imageRow(row: Row): ImageRow {
  const topLayer = row['top_layer'];
  const parent = row['parent'];
  return {
    id: idOf(row),
    configText: String(row['config']),
    topLayer: typeof topLayer === 'string' ? parseChainId(topLayer) : null,
    parent: typeof parent === 'string' ? parseDigest(parent) : null,
  };
}

function idOf(row: Row): ImageId {
  return parseDigest(String(row['id']));
}

function parentOf(row: Row): ChainId | null {
  const parent = row['parent'];
  return typeof parent === 'string' ? parseChainId(parent) : null;
}

function repositoryOf({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}
