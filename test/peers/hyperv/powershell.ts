import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import type { Cmdlet, PlayedObject } from './cmdlet.ts';
import { diskCmdlets } from './disk-cmdlets.ts';
import type { HypervFault } from './host.ts';
import { PlayedHost } from './host.ts';
import { machineCmdlets } from './machine-cmdlets.ts';
import { errorId, Refusal } from './refusal.ts';
import { stateCmdlets } from './state-cmdlets.ts';

/**
 * A played powershell.exe on a computer with Hyper-V: a model of the module's cmdlets that the driver calls, after their published
 * reference. It does not read PowerShell: of the driver's script it knows what goes in and what comes out, so what the script itself
 * says is proven on Windows alone.
 */
const cmdlets: Readonly<Record<string, Cmdlet>> = { ...machineCmdlets, ...diskCmdlets, ...stateCmdlets };

interface Step {
  readonly cmdlet: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly references: Readonly<Record<string, number>>;
  readonly select: readonly string[];
}

function say(kind: string, value: unknown): void {
  process.stdout.write(`${kind} ${Buffer.from(JSON.stringify(value)).toString('base64')}\r\n`);
}

async function main(): Promise<number> {
  const [noProfile, nonInteractive, output, form, encoded, script, ...more] = process.argv.slice(2);
  const options = [noProfile, nonInteractive, output, form, encoded].join(' ');
  if (options !== '-NoProfile -NonInteractive -OutputFormat Text -EncodedCommand' || more.length > 0)
    throw new Error(`the played powershell.exe does not know ${options}`);
  if (
    !Buffer.from(script ?? '', 'base64')
      .toString('utf16le')
      .includes('$input')
  )
    throw new Error('the command is not PowerShell in UTF-16, or reads nothing');
  const home = process.env['PLAYED_HYPERV'];
  if (home === undefined) throw new Error('the played powershell.exe needs PLAYED_HYPERV');
  const request = await text(process.stdin);
  if (/[^\x20-\x7e]/.test(request)) throw new Error('other characters than ASCII depend on the code page');
  // The driver's own form, whose parts each cmdlet checks.
  const { steps } = JSON.parse(request) as { readonly steps: readonly Step[] };
  return await runSteps(new PlayedHost(home), steps);
}

async function runSteps(host: PlayedHost, steps: readonly Step[]): Promise<number> {
  const results: (readonly PlayedObject[])[] = [];
  for (const [at, { cmdlet, parameters, references, select }] of steps.entries()) {
    try {
      const found = await runOne(host, cmdlet, { ...parameters, ...resolve(references, results) });
      results.push(found);
      for (const object of found.slice(0, select.length === 0 ? 0 : found.length)) {
        const values = Object.fromEntries(select.map((name) => [name, String(object[name] ?? '')]));
        say('row', { step: at, values });
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say('failure', { step: at, id: errorId(error, cmdlet), message: error.message });
      return 0;
    }
  }
  say('done', { steps: steps.length });
  return 0;
}

function resolve(
  references: Readonly<Record<string, number>>,
  results: readonly (readonly PlayedObject[])[],
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(references).map(([name, at]) => {
      const found = results[at];
      if (found === undefined || found.length === 0)
        throw new Refusal(
          'ParameterArgumentValidationErrorNullNotAllowed',
          `The argument for ${name} is null or empty.`,
        );
      return [name, found.length === 1 ? found[0] : found];
    }),
  );
}

async function runOne(
  host: PlayedHost,
  name: string,
  values: Readonly<Record<string, unknown>>,
): Promise<readonly PlayedObject[]> {
  const cmdlet = Object.hasOwn(cmdlets, name) ? cmdlets[name] : undefined;
  if (cmdlet === undefined) throw new Refusal('CommandNotFoundException', `The term '${name}' is not recognized.`);
  const fault = host.faults.take(name);
  await suffer(fault);
  const found = await cmdlet(host, values);
  if (fault === 'killed-after') process.kill(process.pid, 'SIGKILL');
  return fault === 'no-switch' ? [] : found;
}

/** What each fault does before the cmdlet's work. */
async function suffer(fault: HypervFault | null): Promise<void> {
  switch (fault) {
    case 'access-denied':
      throw new Refusal(
        'AccessDenied',
        'Sie verfügen nicht über die erforderliche Berechtigung, um diese Aufgabe auszuführen.',
      );
    case 'no-memory':
      throw new Refusal('OutOfMemory', 'Nicht genügend Arbeitsspeicher im System. (0x8007000E)');
    case 'no-hypervisor':
      throw new Refusal('Unspecified', 'Der Hypervisor wird nicht ausgeführt. (0xC0351000)');
    case 'killed-before':
      process.kill(process.pid, 'SIGKILL');
      break;
    case 'hangs':
      // Until it is ended: only a timer keeps a process that waits for a signal.
      setInterval(() => undefined, 60_000);
      await once(process, 'SIGTERM');
      process.exit(1);
      break;
    case 'no-switch':
    case 'killed-after':
    case null:
  }
}

process.exitCode = await main();
