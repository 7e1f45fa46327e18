/** What a start of the engine loads: rooms that are loaded late somewhere must not be loaded at the start somewhere else. */
import path from 'node:path';
import { build, type Metafile } from 'esbuild';
import { beforeAll, expect, it } from 'vitest';

const checkout = path.resolve(import.meta.dirname, '..');
const start = 'engine/main.ts';
/** The one late import that each start makes: what stands behind the flags. */
const alwaysLoaded = 'engine/serve.ts';
/** Not for a start, by what they are for: with a room of issue 4 or later, add its folder. */
const lateFolders = [
  'engine/registry/',
  'engine/transfer/',
  'engine/explorer/',
  'engine/squash/',
  'engine/disk/',
  'engine/snapshots/',
  'engine/http/skiff/',
  'node_modules/ws/',
];

/** The settings are checked at each start, and what they lead to is told; what a snapshot was in the middle of is looked up. */
const neededOfThem = [
  'engine/registry/late-registries.ts',
  'engine/registry/registry-settings.ts',
  'engine/snapshots/recover-snapshots.ts',
  'engine/snapshots/snapshot-rows.ts',
];

let inputs: Metafile['inputs'];
let loadedAtStart: ReadonlySet<string>;
beforeAll(async () => {
  const { metafile } = await build({
    entryPoints: [start],
    absWorkingDir: checkout,
    bundle: true,
    write: false,
    outdir: 'nowhere',
    platform: 'node',
    format: 'cjs',
    external: ['koffi'],
    define: { 'import.meta.url': '""' },
    metafile: true,
    logLevel: 'silent',
  });
  inputs = metafile.inputs;
  loadedAtStart = closure([start, alwaysLoaded]);
});

/** These modules and all that they import when they are loaded. */
function closure(entries: readonly string[]): ReadonlySet<string> {
  const found = new Set(entries);
  for (const file of found)
    for (const { path: imported, kind, external } of inputs[file]?.imports ?? [])
      if (kind !== 'dynamic-import' && external !== true) found.add(imported);
  return found;
}

it('does not hold a module that is imported late somewhere: one of the two imports is a mistake', () => {
  const late = Object.entries(inputs).flatMap(([file, { imports }]) =>
    imports
      .filter(({ kind, external }) => kind === 'dynamic-import' && external !== true)
      .map((one) => ({ file, ...one })),
  );
  expect(late.length).toBeGreaterThan(4);
  expect(
    late
      .filter(({ path: imported }) => imported !== alwaysLoaded && loadedAtStart.has(imported))
      .map(({ file, path: imported }) => `${file} imports ${imported} late, which is loaded at the start all the same`),
  ).toEqual([]);
});

it('does not hold the rooms that a start has no use for', () => {
  expect(loadedAtStart.has('engine/http/server.ts')).toBe(true);
  expect(
    [...loadedAtStart].filter(
      (file) => lateFolders.some((folder) => file.includes(folder)) && !neededOfThem.includes(file),
    ),
  ).toEqual([]);
});
