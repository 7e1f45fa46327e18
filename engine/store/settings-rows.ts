import type { Database } from './database.ts';

/** Small facts that an engine keeps about itself: its id, the address of its bridge. Null when never set. */
export function readSetting(database: Database, key: string): string | null {
  const row = database.sql.prepare('SELECT value FROM settings WHERE key = ?').get(key);
  return typeof row?.['value'] === 'string' ? row['value'] : null;
}

export function writeSetting(database: Database, key: string, value: string): void {
  database.sql
    .prepare('INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value')
    .run(key, value);
}

/** The kept value, or the one that `make` gives, which is kept from now on. */
export function keptSetting(database: Database, key: string, make: () => string): string {
  const kept = readSetting(database, key);
  if (kept !== null) return kept;
  const made = make();
  writeSetting(database, key, made);
  return made;
}
