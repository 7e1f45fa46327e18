/** `npm run bench [name...]`: runs the benchmarks named, or all, and prints a table. */
import { mkdirSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { bootBench } from './boot.ts';
import type { Bench, Measurement } from './contender.ts';
import { idleBench } from './idle.ts';
import { imagesBench } from './images.ts';
import { lineBench } from './line.ts';
import { machineListBench } from './machine-list.ts';
import { logsBench, manyBench } from './many.ts';
import { portsBench } from './ports.ts';
import { pullBench } from './pull.ts';
import { runBench } from './run.ts';
import { sharesInMachineBench } from './shares-in-machine.ts';
import { sharesBench } from './shares.ts';
import { median, quantile } from './samples.ts';

const benches: readonly Bench[] = [
  runBench(),
  manyBench(),
  logsBench(),
  pullBench(),
  imagesBench(),
  lineBench(),
  portsBench(),
  sharesBench(),
  sharesInMachineBench(),
  machineListBench(),
  bootBench(),
  idleBench(),
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !benches.some((bench) => bench.name === name));
if (unknown.length > 0) {
  console.error(`no such benchmark: ${unknown.join(', ')} (there are ${benches.map(({ name }) => name).join(', ')})`);
  process.exit(2);
}
const results: Record<string, readonly Measurement[]> = {};
for (const bench of benches.filter(({ name }) => wanted.length === 0 || wanted.includes(name))) {
  console.log(`\n${bench.title}`);
  results[bench.name] = await bench.run((line) => console.error(`  ${line}`));
  for (const line of table(results[bench.name] ?? [])) console.log(line);
}
const folder = path.resolve(import.meta.dirname, '../dist/bench');
mkdirSync(folder, { recursive: true });
const file = path.join(folder, `${new Date().toISOString().replaceAll(':', '-').slice(0, 19)}.json`);
writeFileSync(
  file,
  `${JSON.stringify({ at: new Date().toISOString(), cpus: os.cpus().length, kernel: os.release(), results }, null, 2)}\n`,
);
console.log(`\n${path.relative(process.cwd(), file)}`);
process.exit(0); // kept-alive connections of the clients would hold the process

function table(measurements: readonly Measurement[]): readonly string[] {
  return measurements.flatMap(({ what, samples, baseline, note }) => [
    `\n  ${what}`,
    `    ${'contender'.padEnd(12)} ${'n'.padStart(4)} ${'median'.padStart(9)} ${'p95'.padStart(9)}${baseline === null ? '' : ` ${`/ ${baseline}`.padStart(11)}`}`,
    ...Object.entries(samples).map(([name, values]) => {
      const base = baseline === null ? undefined : samples[baseline];
      const ratio =
        base === undefined || baseline === null ? '' : ` ${(median(values) / median(base)).toFixed(2).padStart(11)}`;
      return `    ${name.padEnd(12)} ${String(values.length).padStart(4)} ${median(values).toFixed(1).padStart(9)} ${quantile(values, 0.95).toFixed(1).padStart(9)}${ratio}`;
    }),
    ...(note === undefined ? [] : [`    ${note}`]),
  ]);
}
