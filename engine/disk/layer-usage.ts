import path from 'node:path';
import { type ChainId, parseChainId } from '../model/ids.ts';
import type { Database } from '../store/database.ts';
import type { Trees } from '../trees/trees.ts';
import type { MeasuredLayer } from './layer-sums.ts';

interface Row {
  readonly chainId: ChainId;
  readonly parent: ChainId | null;
  /** Its name below `<data root>/layers`. */
  readonly folder: string;
  readonly bytes: number | null;
}

/** What every layer takes of the disk, with its recipe: measured when it is asked for the first time, then known. */
export class LayerUsage {
  readonly #database: Database;
  readonly #trees: Trees;
  readonly #root: string;

  constructor(parts: { readonly database: Database; readonly trees: Trees; readonly dataRoot: string }) {
    this.#database = parts.database;
    this.#trees = parts.trees;
    this.#root = path.join(parts.dataRoot, 'layers');
  }

  /** `files`: names below `<data root>/layers` that belong to them. */
  async measure(): Promise<{
    readonly layers: ReadonlyMap<ChainId, MeasuredLayer>;
    readonly files: ReadonlySet<string>;
  }> {
    const rows = this.#rows();
    const unknown = rows.filter(({ bytes }) => bytes === null);
    const sizes = await this.#trees.usage(
      unknown.flatMap(({ folder }) => filesOf(folder).map((name) => path.join(this.#root, name))),
    );
    const measured = new Map(
      unknown.map(({ chainId }, index) => [chainId, (sizes[index * 2] ?? 0) + (sizes[index * 2 + 1] ?? 0)]),
    );
    if (measured.size > 0) this.#keep(measured);
    return {
      layers: new Map(
        rows.map(({ chainId, parent, bytes }) => [
          chainId,
          { chainId, parent, bytes: bytes ?? measured.get(chainId) ?? 0 },
        ]),
      ),
      files: new Set(rows.flatMap(({ folder }) => filesOf(folder))),
    };
  }

  /** Top layers that containers' roots stand on, or that they have mounted. */
  held(): readonly ChainId[] {
    return this.#database.sql
      .prepare('SELECT top_layer FROM roots UNION SELECT top_layer FROM image_mounts')
      .all()
      .flatMap(({ top_layer: top }) => (typeof top === 'string' ? [parseChainId(top)] : []));
  }

  #rows(): readonly Row[] {
    return this.#database.sql
      .prepare('SELECT chain_id, parent, folder, disk_bytes FROM layers')
      .all()
      .map((row) => ({
        chainId: parseChainId(String(row['chain_id'])),
        parent: typeof row['parent'] === 'string' ? parseChainId(row['parent']) : null,
        folder: String(row['folder']),
        bytes: typeof row['disk_bytes'] === 'number' ? row['disk_bytes'] : null,
      }));
  }

  #keep(measured: ReadonlyMap<ChainId, number>): void {
    this.#database.transaction(() => {
      const statement = this.#database.sql.prepare('UPDATE layers SET disk_bytes = ? WHERE chain_id = ?');
      for (const [chainId, bytes] of measured) statement.run(bytes, chainId);
    });
  }
}

/** The folder and the recipe beside it. */
function filesOf(folder: string): readonly [string, string] {
  return [folder, `${folder}.recipe`];
}
