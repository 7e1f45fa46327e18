import { EngineClient } from '../client/engine-client.ts';
import { chooseEngine, engineDialer, hostOf } from './engine-door.ts';
import { parseCommandLine, runWords, showRootHelp } from './program.ts';
import { describeError } from './report.ts';
import { CommandError, UsageError } from './usage-error.ts';
import type { OpenMachines } from '../provisioners/machines/open-machines.ts';
import type { Context } from './verb.ts';

/** What a shell shows for a process that died of SIGPIPE. */
const brokenPipe = 141;

async function run(words: readonly string[], machines: MachinesOf): Promise<number> {
  let isDebug = false;
  try {
    const { globals, words: rest, wantsHelp } = parseCommandLine(words);
    isDebug = globals.debug;
    const choice = chooseEngine(globals, process.env);
    using engine = new EngineClient(engineDialer(choice, globals, process.env));
    const context: Context = {
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      environment: process.env,
      platform: process.platform,
      workingDir: process.cwd(),
      nowMs: Date.now,
      machineName: choice.kind === 'machine' ? choice.name : '',
      contextName: choice.context ?? 'default',
      engineHost: hostOf(choice, process.env),
      isHostGiven: choice.kind === 'host',
      engine,
      machines: async () => {
        const { openMachines } = await import('../provisioners/index.ts');
        const { computerKeychain } = await import('../logins/keychains.ts');
        const { env: environment, platform } = process;
        return openMachines({ environment, keychain: computerKeychain(environment, platform), ...machines });
      },
      onSignal,
    };
    if (globals.version) {
      const { skiffVersion } = await import('./verbs/system/about.ts');
      process.stdout.write(`Skiff version ${skiffVersion()}\n`);
      return 0;
    }
    return wantsHelp || rest.length === 0 ? await showRootHelp(context) : await runWords(rest, context);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    if (isDebug) console.error(error); // eslint-disable-line no-console -- prints causes and stacks
    return error instanceof UsageError || error instanceof CommandError ? error.exitCode : 1;
  }
}

function onSignal(signals: readonly NodeJS.Signals[], listener: (signal: NodeJS.Signals) => void): Disposable {
  for (const signal of signals) process.on(signal, listener);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, listener);
    },
  };
}

/** What the machines are that its verbs are about; default: this computer's, with what this checkout or app carries. */
type MachinesOf = Pick<OpenMachines, 'computer' | 'engine' | 'hostAgent'>;

/** The process of `skiff`: its signals, streams and exit code. What it does is in verbs/. It ends when the words are done. */
export function skiffProcess(words: readonly string[], machines: MachinesOf = {}): void {
  // A reader that has seen enough (`skiff logs x | head`) is no failure to talk about.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? brokenPipe : 1));
  // Not awaited by a module: the built product is a CommonJS bundle, which knows no top-level await.
  void run(words, machines).then(async (exitCode) => {
    // Not before everything is out: pipes on macOS and Windows are written to in the background.
    await Promise.all(
      [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
    );
    process.exit(exitCode);
  });
}
