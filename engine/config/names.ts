import { createHash } from 'node:crypto';
import { type Database } from '../store/database.ts';
import { readSetting } from '../store/settings-rows.ts';
import type { Settings } from './settings.ts';

export interface EngineNames {
  readonly engineId: string;
  /** In cgroup paths. */
  readonly engineName: string;
  readonly bridgeName: string;
}

/** Names on the host that no other engine has: they come from the engine's own id, so that a copied configuration does not copy them. */
export function namesOf(engineId: string, settings: Settings): EngineNames {
  const digits = createHash('sha256').update(engineId).digest('hex').slice(0, 8);
  return { engineId, engineName: digits, bridgeName: settings.bridgeName ?? `skiff-${digits}` };
}

/** What the settings say; else what the bridge had before; null at the very first start. */
export function keptBridgeAddress(database: Database, settings: Settings): string | null {
  return settings.bridgeAddress ?? readSetting(database, 'bridge-address');
}
