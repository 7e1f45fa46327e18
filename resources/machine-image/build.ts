/**
 * `npm run image`: makes the machine image of this computer's architecture (or of `--arch amd64|arm64`) in the cache,
 * unless it is there, and prints its folder.
 */
import { parseArgs } from 'node:util';
import { cacheFolder } from '../../provisioners/machine-image/cache.ts';
import { hostArchitecture } from '../../provisioners/machine-image/host-packages.ts';
import { ensureMachineImage } from '../../provisioners/machine-image/machine-image.ts';
import { architectures } from '../../provisioners/machine-image/recipe.ts';
import { MachineError } from '../../provisioners/machines.ts';
import type { StepReport } from '../../provisioners/progress.ts';

const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () =>
    interrupted.abort(new MachineError('aborted', 'Interrupted; nothing half-made was left.')),
  );
}

function report({ title, state, detail, elapsedMs }: StepReport): void {
  const seconds = state === 'running' ? '' : ` (${(elapsedMs / 1000).toFixed(1)} s)`;
  process.stderr.write(`${state.padEnd(8)}${title}${detail === undefined ? '' : `: ${detail}`}${seconds}\n`);
}

try {
  const { values } = parseArgs({ options: { arch: { type: 'string' } } });
  const wanted = values.arch ?? hostArchitecture();
  const arch = architectures.find((name) => name === wanted);
  if (arch === undefined)
    throw new MachineError(
      'invalid-setting',
      `There is no machine image for '${wanted ?? process.arch}'; there is ${architectures.join(' and ')}.`,
    );
  const image = await ensureMachineImage(
    { arch, cacheDir: cacheFolder(), source: { kind: 'build' } },
    { report, signal: interrupted.signal },
  );
  process.stdout.write(`${image.folder}\n`);
} catch (error) {
  process.stderr.write(`npm run image: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
