import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Machine, openMachines, type StepReport } from '../provisioners/index.ts';
import { cacheFolder } from '../provisioners/machine-image/cache.ts';
import type { Bench, Measurement } from './contender.ts';

const boots = Number(process.env['SKIFF_BENCH_BOOTS'] ?? 10);

/** Of so many starts one has nothing prepared (drivers/qemu/prepared-start.ts) and boots whole, as the first one on a computer does. */
const startsPerWholeBoot = 5;

/**
 * From "start" to the engine's first answer on this computer, of a machine that is made already. The parts are what the
 * guest's console says of itself, in seconds of the guest's own clock since the kernel began: of whole boots and of prepared starts.
 */
export function bootBench(): Bench {
  return {
    name: 'boot',
    title: `Start a machine, ${boots} times (SKIFF_BENCH_BOOTS)`,
    async run(tell) {
      const home = mkdtempSync(path.join(os.tmpdir(), 'skiff-bench-'));
      const environment = { ...process.env, SKIFF_HOME: home, DOCKER_CONFIG: path.join(home, 'docker') };
      const machines = openMachines({ environment });
      const operation = (report: (step: StepReport) => void = () => undefined) => ({
        report,
        signal: AbortSignal.timeout(900_000),
      });
      const totals: Samples = {};
      const steps: Record<string, Samples> = {};
      const stages: Record<string, Samples> = {};
      let machine: Machine;
      try {
        machine = await machines.create(
          { name: 'bench', settings: {} },
          operation(
            ({ title, state, elapsedMs }) => state === 'done' && tell(`${title}: ${(elapsedMs / 1000).toFixed(1)} s`),
          ),
        );
        // As long as it takes an engine to keep its compiled code, which a machine in use has from its first minute on (deploy/kept-code.ts).
        await delay(10_000);
        for (let boot = 0; boot < boots + Math.ceil(boots / startsPerWholeBoot); boot++) {
          await machines.stop('bench', operation());
          const isWhole = boot % (startsPerWholeBoot + 1) === 0;
          if (isWhole) forgetPrepared();
          const kind = isWhole ? 'whole boot' : 'start';
          const startedAt = performance.now();
          machine = await machines.start(
            'bench',
            operation(({ title, state, elapsedMs }) => {
              if (state === 'done') note((steps[title] ??= {}), kind, elapsedMs);
            }),
          );
          await ping(machine.dockerSocket);
          note(totals, kind, performance.now() - startedAt);
          for (const [stage, seconds] of bootStages(path.join(home, 'machines/bench/serial.log')))
            note((stages[stage] ??= {}), kind, seconds * 1000);
        }
      } finally {
        await machines.remove('bench', operation());
        rmSync(home, { recursive: true, force: true });
      }
      const facts = Object.entries(machine.facts).map(([key, value]) => `${key}: ${value}`);
      const parts = (kind: string, of: Record<string, Samples>): Measurement[] =>
        Object.entries(of).map(([what, samples]) => ({ what: `${kind}: ${what} (ms)`, samples, baseline: null }));
      return [
        {
          what: 'start to first answer of the engine (ms)',
          samples: totals,
          baseline: null,
          note: facts.join('; '),
        },
        ...parts('step', steps),
        ...parts('guest clock at stage', stages),
      ];
    },
  };
}

type Samples = Record<string, number[]>;

function note(samples: Samples, kind: string, value: number): void {
  (samples[kind] ??= []).push(value);
}

function forgetPrepared(): void {
  const images = path.join(cacheFolder(), 'machine-images');
  for (const image of readdirSync(images))
    rmSync(path.join(images, image, 'prepared'), { recursive: true, force: true });
}

function* bootStages(serialLog: string): Generator<readonly [stage: string, seconds: number]> {
  for (const match of readFileSync(serialLog, 'latin1').matchAll(/^skiff-boot: (\S+) ([\d.]+)/gm))
    yield [match[1] ?? '', Number(match[2])];
}

function ping(socketPath: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = http.get({ socketPath, path: '/_ping', timeout: 10_000 }, (response) => {
      response.resume();
      response.on('end', () =>
        response.statusCode === 200 ? resolve() : reject(new Error(`the engine answered ${response.statusCode}`)),
      );
    });
    request.once('timeout', () => request.destroy(new Error('the engine does not answer')));
    request.once('error', reject);
  });
}
