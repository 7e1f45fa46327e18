/** skiffd: reads its settings, starts the engine, ends it on TERM or INT. */
import { readCommand, usage } from './config/read-settings.ts';
import type { Settings } from './config/settings.ts';
import { type Log, openLog } from './diagnostics/log.ts';
import { EngineError } from './model/errors.ts';
import { engineVersion } from './version.ts';

/** As dockerd's shutdown-timeout. */
const endsWithinMs = 15_000;

// No top-level await: a release is bundled as CommonJS, which starts faster.
void main(process.argv.slice(2)).then((exitCode) => (process.exitCode = exitCode));

/** Exit codes: 0 ended as asked, 1 could not start, 2 the settings are wrong (as dockerd has it: 1 for both is less use). */
async function main(args: readonly string[]): Promise<number> {
  try {
    const command = readCommand(args, process.env);
    switch (command.verb) {
      case 'help':
        process.stdout.write(usage);
        return 0;
      case 'version':
        process.stdout.write(`Skiff Engine version ${engineVersion}\n`);
        return 0;
      case 'validate':
        process.stdout.write('configuration OK\n');
        return 0;
      case 'check':
        return (await import('./check-host.ts')).checkHost((line) => process.stdout.write(`${line}\n`));
      case 'remove-all':
      case 'serve': {
        // The engine's rooms load native code; a wrong flag should be told before that.
        const { removeAll, startEngine } = await import('./serve.ts');
        const log = openLog({ verbosity: command.settings.verbosity, write: (line) => process.stderr.write(line) });
        if (command.verb === 'remove-all') {
          await removeAll(command.settings, log);
          return 0;
        }
        await using engine = await startEngine(command.settings, log);
        process.on('SIGHUP', () => readAgain(args, log, (settings) => engine.reload(settings)));
        log.info(`${await untilSignal()}: ending; containers run on`);
        endAnyway(log);
        return 0;
      }
    }
  } catch (error) {
    process.stderr.write(`skiffd: ${error instanceof Error ? messages(error) : String(error)}\n`);
    return error instanceof EngineError && error.kind === 'invalid' ? 2 : 1;
  }
}

/** A configuration that has become wrong changes nothing, as with dockerd. */
function readAgain(args: readonly string[], log: Log, reload: (settings: Settings) => void): void {
  try {
    const command = readCommand(args, process.env);
    if ('settings' in command) reload(command.settings);
    log.info('the configuration was read again');
  } catch (error) {
    log.error('the configuration was not read again', { error });
  }
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}

/** What does not let go is no reason not to end: all that must last is on the disk at any time. */
function endAnyway(log: Log): void {
  setTimeout(() => {
    log.error('the engine ends though not everything has let go', { kept: process.getActiveResourcesInfo().join(' ') });
    process.exit(1);
  }, endsWithinMs).unref();
}

function messages(error: Error): string {
  return error instanceof EngineError ? error.message : (error.stack ?? error.message);
}
