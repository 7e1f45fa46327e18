import { flagName } from './flag.ts';
import type { FlagTable } from './flag.ts';

/** The lines that describe flags, aligned, sorted by name, broken at `width`, as docker prints them. */
export function flagLines(table: FlagTable, width = 80): string[] {
  const rows = Object.entries(table)
    .filter(([, { isHidden }]) => !isHidden)
    .map(([key, { short, placeholder, help, standard }]) => ({
      name: flagName(key),
      left: `  ${short === null ? '    ' : `-${short}, `}--${flagName(key)}${placeholder === null ? '' : ` ${placeholder}`}`,
      help: standard === undefined ? help : `${help} (default ${standard})`,
    }))
    .sort((a, b) => a.name.localeCompare(b.name, 'en'));
  const indent = Math.max(0, ...rows.map(({ left }) => left.length)) + 3;
  return rows.flatMap(({ left, help }) =>
    brokenAt(help, Math.max(24, width - indent)).map((line, index) => (index === 0 ? left : '').padEnd(indent) + line),
  );
}

/** Two aligned columns: verbs and what they do. */
export function summaryLines(rows: readonly (readonly [name: string, summary: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length)) + 3;
  return rows.map(([name, summary]) => `  ${name.padEnd(width)}${summary}`);
}

function brokenAt(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
