import { flagName } from './flag.ts';
import type { FlagTable } from './flag.ts';

/** The lines that describe flags, aligned, sorted by name, as docker prints them. */
export function flagLines(table: FlagTable): string[] {
  const rows = Object.entries(table)
    .map(([key, { short, placeholder, help }]) => ({
      name: flagName(key),
      left: `  ${short === null ? '    ' : `-${short}, `}--${flagName(key)}${placeholder === null ? '' : ` ${placeholder}`}`,
      help,
    }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en'));
  const width = Math.max(0, ...rows.map(({ left }) => left.length)) + 3;
  return rows.map(({ left, help }) => left.padEnd(width) + help);
}

/** Two aligned columns: verbs and what they do. */
export function summaryLines(rows: readonly (readonly [name: string, summary: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, summary]) => `  ${name.padEnd(width)}${summary}`);
}
