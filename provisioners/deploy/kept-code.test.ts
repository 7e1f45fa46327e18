import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const keptCode = new URL('./kept-code.ts', import.meta.url).href;
let folder: string;
let program: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skiff-kept-code-'));
  program = join(folder, 'main.js');
  writeFileSync(
    join(folder, 'start.mjs'),
    `import { createRequire } from 'node:module';
     import { runWithKeptCode } from ${JSON.stringify(keptCode)};
     runWithKeptCode({
       folder: ${JSON.stringify(folder)},
       name: 'main.js',
       require: createRequire(import.meta.url),
       settleMs: 10,
       nodeModules: ['node:crypto'],
       report: (message) => console.log('reported', message),
     });`,
  );
  writeFileSync(program, programThat(`require('node:diagnostics_channel').channel('skiffd.ready').publish(null);`));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Runs for long enough to have its code kept, and says where it is and what it was called with. */
function programThat(does: string): string {
  return `const { basename } = require('node:path');
    function late(word) { return word + ' ' + basename(__filename) + ' ' + basename(__dirname) + ' ' + typeof module.exports; }
    console.log(late('runs as'));
    ${does}
    setTimeout(() => {}, 300);`;
}

function start(): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'start.mjs')], { encoding: 'utf8' });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return stdout.replace(folder.slice(tmpdir().length + 1), 'FOLDER');
}

const said = 'runs as main.js FOLDER object\n';
const kept = (): string => join(folder, 'main.js.code');

it('is written when the program is ready, and taken at the next start', () => {
  expect(start()).toBe(said);
  expect(readFileSync(kept()).length).toBeGreaterThan(500);
  const { ino } = statSync(kept());
  expect(start()).toBe(said);
  expect(statSync(kept()).ino).toBe(ino);
  expect(readdirSync(folder).sort()).toEqual(['main.js', 'main.js.code', 'start.mjs']);
});

it('is not written for a program that never gets ready', () => {
  writeFileSync(program, programThat(''));
  expect(start()).toBe(said);
  expect(readdirSync(folder).sort()).toEqual(['main.js', 'start.mjs']);
});

it.each<[what: string, damage: (bytes: Buffer) => Buffer]>([
  ['empty', () => Buffer.alloc(0)],
  ['cut off', (bytes) => bytes.subarray(0, 200)],
  ['zeros at its end', (bytes) => Buffer.from(bytes).fill(0, 300)],
  ['one bit wrong', (bytes) => Buffer.from(bytes).fill((bytes[400] ?? 0) ^ 1, 400, 401)],
])('is made again when it is damaged: %s', (_what, damage) => {
  start();
  const whole = readFileSync(kept());
  writeFileSync(kept(), damage(whole));
  expect(start()).toBe(said);
  expect(readFileSync(kept()).length).toBe(whole.length);
});

it('is made again when it is of another program', () => {
  start();
  const { ino } = statSync(kept());
  writeFileSync(program, `${readFileSync(program, 'utf8')} // longer`);
  expect(start()).toBe(said);
  expect(statSync(kept()).ino).not.toBe(ino);
});

it('is done without, and told, where it cannot be written', () => {
  // A folder in the place of the new file stops root, too.
  mkdirSync(`${kept()}.new`);
  expect(start()).toMatch(new RegExp(`^${said}reported the compiled code could not be kept: EISDIR`));
});
