import type { PlayedCall, PlayedOutcome } from '../played-command.ts';
import type { Cmdlet, PlayedObject } from './cmdlet.ts';
import { diskCmdlets } from './disk-cmdlets.ts';
import type { HypervFault, PlayedHost } from './host.ts';
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

export async function playPowershell(
  { words, input }: PlayedCall,
  { host }: { readonly host: PlayedHost },
): Promise<PlayedOutcome> {
  const [noProfile, nonInteractive, output, form, encoded, script, ...more] = words;
  const options = [noProfile, nonInteractive, output, form, encoded].join(' ');
  if (options !== '-NoProfile -NonInteractive -OutputFormat Text -EncodedCommand' || more.length > 0)
    throw new Error(`the played powershell.exe does not know ${options}`);
  if (
    !Buffer.from(script ?? '', 'base64')
      .toString('utf16le')
      .includes('$input')
  )
    throw new Error('the command is not PowerShell in UTF-16, or reads nothing');
  const request = input.toString();
  if (/[^\x20-\x7e]/.test(request)) throw new Error('other characters than ASCII depend on the code page');
  // The driver's own form, whose parts each cmdlet checks.
  const { steps } = JSON.parse(request) as { readonly steps: readonly Step[] };
  return await runSteps(host, steps);
}

async function runSteps(host: PlayedHost, steps: readonly Step[]): Promise<PlayedOutcome> {
  const results: (readonly PlayedObject[])[] = [];
  let stdout = '';
  const say = (kind: string, value: unknown): void => {
    stdout += `${kind} ${Buffer.from(JSON.stringify(value)).toString('base64')}\r\n`;
  };
  for (const [at, { cmdlet: name, parameters, references, select }] of steps.entries()) {
    const fault = host.faults.take(name);
    if (fault === 'killed-before') return 'dies';
    if (fault === 'hangs') return 'hangs';
    try {
      const found = await runOne(host, name, { fault, values: { ...parameters, ...resolve(references, results) } });
      if (fault === 'killed-after') return 'dies';
      results.push(found);
      for (const object of found.slice(0, select.length === 0 ? 0 : found.length)) {
        const values = Object.fromEntries(select.map((name) => [name, String(object[name] ?? '')]));
        say('row', { step: at, values });
      }
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      say('failure', { step: at, id: errorId(error, name), message: error.message });
      return { exitCode: 0, stdout };
    }
  }
  say('done', { steps: steps.length });
  return { exitCode: 0, stdout };
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
  { fault, values }: { readonly fault: HypervFault | null; readonly values: Readonly<Record<string, unknown>> },
): Promise<readonly PlayedObject[]> {
  const cmdlet = Object.hasOwn(cmdlets, name) ? cmdlets[name] : undefined;
  if (cmdlet === undefined) throw new Refusal('CommandNotFoundException', `The term '${name}' is not recognized.`);
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
    case 'no-switch':
      return [];
    default:
      return await cmdlet(host, values);
  }
}
