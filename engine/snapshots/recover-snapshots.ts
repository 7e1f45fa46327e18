import { unpauseContainer } from '../containers/life/pause.ts';
import type { Parts } from '../containers/parts.ts';
import type { Database } from '../store/database.ts';
import { SnapshotRows } from './snapshot-rows.ts';

/** At boot, after the containers: those that stood still for a snapshot go on, and half-made copies are deleted. */
export async function recoverSnapshots(parts: Parts, database: Database): Promise<void> {
  const rows = new SnapshotRows(database);
  const interrupted = rows.interrupted();
  if (interrupted.length === 0) return;
  const { tidy } = await import('./upper-folder.ts');
  for (const { container: id, isPaused } of interrupted) {
    const container = parts.directory.byId(id);
    if (container !== undefined) {
      if (isPaused && container.state.status === 'paused') await unpauseContainer(parts, container);
      await tidy(parts.roots.folderOf(id), new Set(rows.of(id).map((snapshot) => snapshot.id)));
      parts.log.info('a snapshot that was under way has been tidied up', { container: id });
    }
    rows.end(id);
  }
}
