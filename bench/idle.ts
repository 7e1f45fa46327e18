import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openMachines } from '../provisioners/index.ts';
import type { Bench } from './contender.ts';

const minutes = Number(process.env['SKIFF_BENCH_MINUTES'] ?? 5);
/** What a kernel counts processor time in (USER_HZ), on every Linux that Node runs on. */
const ticksPerSecond = 100;
const settleMs = 90_000;

/** What a machine that does nothing costs this computer: the processor time of all its processes here, the hypervisor's and Skiff's own. */
export function idleBench(): Bench {
  return {
    name: 'idle',
    title: `A machine that does nothing, ${minutes} minutes (SKIFF_BENCH_MINUTES)`,
    async run(tell) {
      const home = mkdtempSync(path.join(os.tmpdir(), 'skiff-bench-'));
      const environment = { ...process.env, SKIFF_HOME: home, DOCKER_CONFIG: path.join(home, 'docker') };
      const machines = openMachines({ environment });
      const operation = { report: () => undefined, signal: AbortSignal.timeout((minutes + 20) * 60_000) };
      const samples: number[] = [];
      try {
        await machines.create({ name: 'bench', settings: {} }, operation);
        // A disk that was just made is written to for a while.
        await delay(settleMs);
        for (let minute = 1; minute <= minutes; minute++) {
          const before = secondsOf(home);
          const startedAt = performance.now();
          await delay(60_000);
          samples.push(((secondsOf(home) - before) / ((performance.now() - startedAt) / 1000)) * 100);
          tell(`minute ${minute} of ${minutes}: ${samples.at(-1)?.toFixed(2)} % of a processor`);
        }
      } finally {
        await machines.remove('bench', operation);
        rmSync(home, { recursive: true, force: true });
      }
      return [{ what: 'an idle machine (% of a processor)', samples: { machine: samples }, baseline: null }];
    },
  };
}

/** Processor time so far of every process whose command line names this home. */
function secondsOf(home: string): number {
  let ticks = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(home)) continue;
      // User and system time are fields 14 and 15; the second, a name in brackets, may hold blanks (proc(5)).
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /, '')
        .split(' ');
      ticks += Number(fields[11]) + Number(fields[12]);
    } catch {
      // It ended while it was looked at.
    }
  }
  return ticks / ticksPerSecond;
}
