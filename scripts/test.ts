/**
 * Runs the suites and sums them up in one line, `N passed, N failed, N skipped`; what the suites leave behind on this
 * computer counts as a failure. Words after `--` go to vitest (a path, `--project pure`).
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { leaked, readTraces } from '../test/leaks.ts';

interface Totals {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** How long something that is about to end (a host agent, a monitor) may still be seen after the suites. */
const settleMs = 5000;

const before = readTraces();
const folder = mkdtempSync(path.join(os.tmpdir(), 'test-report-'));
const report = path.join(folder, 'report.json');
const exitCode = await runVitest([
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile=${report}`,
  ...process.argv.slice(2),
]);
const totals = readTotals(report);

let left = leaked(before, readTraces());
for (const end = performance.now() + settleMs; left.length > 0 && performance.now() < end;) {
  await new Promise((resolve) => setTimeout(resolve, 200));
  left = leaked(before, readTraces());
}
rmSync(folder, { recursive: true });
if (left.length > 0) console.error(`\nThe suites left behind:\n  ${left.join('\n  ')}`);

const failed = totals.failed + (left.length > 0 ? 1 : 0) + (exitCode !== 0 && totals.failed === 0 ? 1 : 0);
console.log(`\n${totals.passed} passed, ${failed} failed, ${totals.skipped} skipped`);
process.exitCode = failed > 0 || totals.passed === 0 ? 1 : 0;

function runVitest(args: readonly string[]): Promise<number> {
  const program = path.resolve(import.meta.dirname, '../node_modules/vitest/vitest.mjs');
  // Engines and commands run from their sources hundreds of times: what Node has compiled once is kept for the others.
  const env = { ...process.env, NODE_COMPILE_CACHE: path.join(folder, 'compiled') };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

function readTotals(file: string): Totals {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(file, 'utf8'),
    ) as Record<string, number>;
    return {
      passed: numPassedTests ?? 0,
      failed: numFailedTests ?? 0,
      skipped: (numPendingTests ?? 0) + (numTodoTests ?? 0),
    };
  } catch (error) {
    console.error('vitest wrote no report:', error);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
