import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { expect, it } from 'vitest';

/** Everything that loading `file` loads at once, by following its imports; `import()` and `import type` load nothing. */
function loadedBy(file: string, seen = new Set<string>()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const source = readFileSync(file, 'utf8');
  for (const [, name = ''] of source.matchAll(/^(?:import|export) (?!type )[^;]*?from '([^']+)';/gm)) {
    if (name.startsWith('.')) loadedBy(resolve(dirname(file), name), seen);
    else seen.add(name);
  }
  return seen;
}

// What is loaded is paid for at each `skiff ps`: zod alone costs more than everything else.
it.each(['main.ts', 'verbs/container/ls.ts', 'verbs/container/run.ts', 'verbs/container/logs.ts'])(
  '%s loads nothing heavy',
  (file) => {
    const loaded = [...loadedBy(resolve(import.meta.dirname, file))];
    expect(loaded.filter((name) => !name.startsWith('/') && !name.startsWith('node:'))).toEqual([]);
    // It takes longer to load than HTTP does.
    expect(loaded).not.toContain('node:crypto');
    expect(loaded.length).toBeLessThan(60);
    if (file === 'main.ts') expect(loaded.some((name) => name.endsWith('client/transport.ts'))).toBe(true);
  },
);
