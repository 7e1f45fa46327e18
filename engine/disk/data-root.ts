/** What lies below the data root and belongs to nothing that is counted by name: the engine's own. */
import { readdirSync } from 'node:fs';
import path from 'node:path';

export interface Owned {
  /** Names below `<data root>/layers`, `containers` and `volumes`. */
  readonly layerFiles: ReadonlySet<string>;
  readonly containers: ReadonlySet<string>;
  readonly volumes: ReadonlySet<string>;
}

export interface Leftover {
  /** Absolute paths to be measured with all that is below them. */
  readonly paths: readonly string[];
  /** Absolute paths of folders that count for themselves alone. */
  readonly folders: readonly string[];
}

export function leftoverOf(dataRoot: string, owned: Owned): Leftover {
  const known = new Map<string, ReadonlySet<string>>([
    ['', new Set(['layers', 'containers', 'volumes', 'content'])],
    ['layers', owned.layerFiles],
    ['containers', owned.containers],
    ['volumes', owned.volumes],
    ['content', new Set(['sha256', 'ingest'])],
  ]);
  const folders = [...known.keys()].map((name) => path.join(dataRoot, name));
  const paths = [...known].flatMap(([name, children]) =>
    namesIn(path.join(dataRoot, name))
      .filter((child) => !children.has(child))
      .map((child) => path.join(dataRoot, name, child)),
  );
  return { paths, folders };
}

/** None for a folder that is not there, or not there any more. */
export function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
