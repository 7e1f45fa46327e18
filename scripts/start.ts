/**
 * `npm start`: has the machine running, whatever that takes, and opens the desktop: in Electron where its binary and a
 * display are there, else in a browser. `--once` runs the hello image instead, and exits as it did.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { writeProgress } from '../cli/progress-lines.ts';
import { openDesktop } from '../desktop/open-desktop.ts';
import { startDesktopServer } from '../desktop/server/desktop-server.ts';
import { computerKeychain } from '../logins/keychains.ts';
import { MachineError, openMachines } from '../provisioners/index.ts';
import { buildElectron, buildRenderer } from './build-desktop.ts';
import { runHello } from './run-hello.ts';

const root = path.resolve(import.meta.dirname, '..');

const usage = `Usage: npm start -- [options]

Makes the machine, deploys the engine into it, and opens the desktop. What is ready is found and used again.

  --once           do not open the desktop: run the hello image, print its output, exit with its exit code
  --driver NAME    what makes the machine (default: the best for this computer; skiff machine create --help lists them)
  --machine NAME   which machine (default: default)
  --keep           leave the machine running afterwards (the default)
  --remove         remove the machine afterwards, with everything in it
  --browser        open the desktop in a browser, also where Electron is there
  --help           this text
`;

interface Options {
  readonly isOnce: boolean;
  readonly driver: string | undefined;
  readonly machine: string;
  readonly afterwards: 'keep' | 'remove';
  readonly isBrowserWanted: boolean;
}

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === 'number') return options;
  try {
    return options.isOnce ? await once(options) : await openUntilQuit(options);
  } catch (error) {
    if (!(error instanceof MachineError)) throw error;
    console.error(`\n${error.message}`);
    return 1;
  }
}

function readOptions(args: readonly string[]): Options | number {
  const flag = { type: 'boolean' } as const;
  const known = {
    once: flag,
    keep: flag,
    remove: flag,
    browser: flag,
    help: flag,
    driver: { type: 'string' },
    machine: { type: 'string' },
  } as const;
  try {
    const { values } = parseArgs({ args: [...args], options: known });
    if (values.help === true) {
      process.stdout.write(usage);
      return 0;
    }
    if (values.keep === true && values.remove === true) throw new Error('--keep and --remove contradict each other');
    return {
      isOnce: values.once === true,
      driver: values.driver,
      machine: values.machine ?? 'default',
      afterwards: values.remove === true ? 'remove' : 'keep',
      isBrowserWanted: values.browser === true,
    };
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    return 2;
  }
}

/** Ctrl-C ends what is under way at its next safe point; what is half made is found again by the next start. */
function interruptible(): AbortSignal {
  const interrupted = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => interrupted.abort(new Error('interrupted')));
  return interrupted.signal;
}

async function once({ machine: name, driver, afterwards }: Options): Promise<number> {
  const machines = openMachines({ keychain: computerKeychain(process.env, process.platform) });
  const signal = interruptible();
  const withProgress = async <T>(
    work: (operation: { report: ReturnType<typeof writeProgress>['report']; signal: AbortSignal }) => Promise<T>,
  ): Promise<T> => {
    using progress = writeProgress(process.stderr);
    return await work({ report: progress.report, signal });
  };
  const { dockerSocket } = await withProgress((operation) =>
    machines.ensureRunning({ name, driver, settings: {} }, operation),
  );
  const exitCode = await runHello(dockerSocket, process);
  if (afterwards === 'remove') await withProgress((operation) => machines.remove(name, operation));
  return exitCode;
}

async function openUntilQuit(options: Options): Promise<number> {
  const electron = options.isBrowserWanted ? null : electronBinary();
  await buildRenderer();
  if (electron !== null) {
    await buildElectron();
    const driver = options.driver === undefined ? [] : [`--driver=${options.driver}`];
    return await run(electron, [path.join(root, 'dist/electron/main.mjs'), `--machine=${options.machine}`, ...driver]);
  }
  return await serveBrowser(options);
}

async function serveBrowser({ machine, driver, afterwards }: Options): Promise<number> {
  const signal = interruptible();
  const report = (fault: Error): void => console.error(fault.message);
  const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
  const machines = openMachines({ keychain: computerKeychain(process.env, process.platform) });
  await using desktop = openDesktop({
    version,
    host: 'browser',
    capabilities: { tray: false, nativeDialogs: false },
    defaultMachine: machine,
    machines,
    report,
  });
  await using server = await startDesktopServer({
    services: desktop.services,
    rendererDir: path.join(root, 'dist/renderer'),
    report,
  });
  console.log(
    `\n  Skiff is open at\n\n    ${server.url}\n\n  The address works once. Ctrl-C closes the desktop; the machine ${afterwards === 'keep' ? 'keeps running' : 'is removed'}.\n`,
  );
  const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
  using progress = writeProgress(process.stderr);
  // The page shows the same steps, and offers to try again: a failure here does not end the desktop.
  const prepared = desktop.prepare({ driver, settings: {} }, progress.report).catch((error: unknown) => {
    if (!signal.aborted) console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  });
  await ended;
  progress[Symbol.dispose]();
  if (afterwards === 'remove') {
    await prepared;
    await machines.remove(machine, { report: () => undefined, signal: AbortSignal.timeout(120_000) });
  }
  return 0;
}

/** Null where the binary was not downloaded or nothing could show its window. */
function electronBinary(): string | null {
  const folder = path.join(root, 'node_modules/electron');
  const pathFile = path.join(folder, 'path.txt');
  if (!existsSync(pathFile)) return null;
  const binary = path.join(folder, 'dist', readFileSync(pathFile, 'utf8').trim());
  const hasDisplay = process.platform !== 'linux' || Boolean(process.env['DISPLAY'] ?? process.env['WAYLAND_DISPLAY']);
  return existsSync(binary) && hasDisplay ? binary : null;
}

function run(program: string, args: readonly string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
