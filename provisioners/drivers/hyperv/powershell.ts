import { execFile } from 'node:child_process';
import { z } from 'zod';
import { MachineError } from '../../machines.ts';
import type { MachineErrorCode } from '../../machines.ts';
import type { Computer } from '../vm/find-program.ts';
import { findProgram } from '../vm/find-program.ts';
import { windowsFolder } from '../vm/windows-folder.ts';

/**
 * Windows PowerShell as a caller of Hyper-V's cmdlets. It takes a second to begin, so several cmdlets go into one call. Nothing of ours
 * is ever part of a script's text: the script is a constant, and cmdlets with their parameters are data on its standard input.
 */

/** One cmdlet of the module Hyper-V. */
export interface Step {
  readonly cmdlet: string;
  readonly parameters?: Readonly<Record<string, string | number | boolean>>;
  /** Parameters whose value is what an earlier step of this call gave, by its index. */
  readonly references?: Readonly<Record<string, number>>;
  /** Properties of what it gives that are wanted. */
  readonly select?: readonly string[];
}

/** Wanted properties of one object, each as PowerShell writes it as text. */
export type Row = Readonly<Record<string, string>>;

/** What a cmdlet refused. */
export class CmdletError extends MachineError {
  /** `AccessDenied`, `OutOfMemory`: the first part of PowerShell's FullyQualifiedErrorId, the same in every language. */
  readonly id: string;

  constructor(code: MachineErrorCode, message: string, id: string) {
    super(code, message);
    this.id = id;
  }
}

export interface PowershellCall {
  readonly signal?: AbortSignal;
  /** Default: a minute. */
  readonly timeoutMs?: number;
}

const usualTimeoutMs = 60_000;

/**
 * Reads the steps, calls one after the other until one fails, and writes a line for each object and for the failure: JSON in base64, for
 * what PowerShell does to other bytes depends on the computer's code page. Cmdlets are named with their module: others have a Get-VM too.
 */
const script = `
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'
function Say($kind, $value) {
  $bytes = [Text.Encoding]::UTF8.GetBytes((ConvertTo-Json -InputObject $value -Compress -Depth 4))
  [Console]::Out.WriteLine($kind + ' ' + [Convert]::ToBase64String($bytes))
}
$request = ConvertFrom-Json -InputObject ([string]::Join([char]10, @($input)))
$results = New-Object System.Collections.ArrayList
$at = 0
foreach ($step in $request.steps) {
  $parameters = @{ ErrorAction = 'Stop' }
  foreach ($given in $step.parameters.PSObject.Properties) { $parameters[$given.Name] = $given.Value }
  foreach ($given in $step.references.PSObject.Properties) { $parameters[$given.Name] = $results[$given.Value] }
  try {
    $found = @(& ('Hyper-V\\' + $step.cmdlet) @parameters)
  } catch {
    Say 'failure' @{ step = $at; id = [string]$_.FullyQualifiedErrorId; message = [string]$_.Exception.Message }
    exit 0
  }
  if ($found.Count -eq 1) { [void]$results.Add($found[0]) } else { [void]$results.Add($found) }
  if ($step.select.Count -gt 0) {
    foreach ($object in $found) {
      $values = @{}
      foreach ($name in $step.select) { $values[$name] = [string]$object.$name }
      Say 'row' @{ step = $at; values = $values }
    }
  }
  $at++
}
Say 'done' @{ steps = $at }
`;

const rowSchema = z.object({ step: z.int(), values: z.record(z.string(), z.string()) });
const failureSchema = z.object({ step: z.int(), id: z.string(), message: z.string() });

export class Powershell {
  readonly #path: string;
  readonly #environment: Computer['environment'];

  constructor(path: string, environment: Computer['environment']) {
    this.#path = path;
    this.#environment = environment;
  }

  /** What each step gave. Throws CmdletError for the first that failed; those before it are done. */
  async run(steps: readonly Step[], call: PowershellCall = {}): Promise<readonly (readonly Row[])[]> {
    const { signal, timeoutMs: timeout = usualTimeoutMs } = call;
    signal?.throwIfAborted();
    const { error, stdout, stderr } = await this.#execute(steps, { signal, timeout });
    signal?.throwIfAborted();
    const rows: Row[][] = steps.map(() => []);
    for (const line of stdout.split(/\r?\n/)) {
      const [kind, data = ''] = line.split(' ', 2);
      if (kind === 'done') return rows;
      if (kind === 'row') {
        const { step, values } = rowSchema.parse(decode(data));
        rows[step]?.push(values);
      }
      if (kind === 'failure') {
        const { step, id, message } = failureSchema.parse(decode(data));
        throw explain({ cmdlet: steps[step]?.cmdlet ?? '', id, message });
      }
    }
    const cmdlets = steps.map(({ cmdlet }) => cmdlet).join(', ');
    if (error !== null && 'killed' in error && error.killed === true)
      throw new MachineError('timeout', `Hyper-V did not end ${cmdlets} within ${timeout / 1000} s`);
    const said = stderr.trim().split('\n')[0] ?? '';
    throw new MachineError(
      'internal',
      `PowerShell ended without an answer to ${cmdlets}: ${said || (error?.message ?? 'it said nothing')}`,
    );
  }

  #execute(
    steps: readonly Step[],
    options: { readonly signal: AbortSignal | undefined; readonly timeout: number },
  ): Promise<{ readonly error: Error | null; readonly stdout: string; readonly stderr: string }> {
    const encoded = Buffer.from(script, 'utf16le').toString('base64');
    const args = ['-NoProfile', '-NonInteractive', '-OutputFormat', 'Text', '-EncodedCommand', encoded];
    const whole = steps.map(({ cmdlet, parameters = {}, references = {}, select = [] }) => ({
      cmdlet,
      parameters,
      references,
      select,
    }));
    return new Promise((resolve) => {
      const child = execFile(
        this.#path,
        args,
        { ...options, windowsHide: true, env: { ...this.#environment }, maxBuffer: 8 * 1024 ** 2 },
        (error, stdout, stderr) => resolve({ error, stdout, stderr }),
      );
      // It may have ended before it has read all; how it ended tells more than the broken pipe.
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(ascii(JSON.stringify({ steps: whole })));
    });
  }
}

/** Other characters would be read in the code page of the computer's console. */
function ascii(json: string): string {
  return json.replaceAll(/[^\x20-\x7e]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function decode(base64: string): unknown {
  return JSON.parse(Buffer.from(base64, 'base64').toString('utf8'));
}

const joinGroup =
  'Add your account to the group "Hyper-V Administrators" (as administrator, in PowerShell: Add-LocalGroupMember -SID S-1-5-32-578 -Member $env:USERNAME), then sign out and in';

/** What refusals mean to the person who reads them: by their id or by the result code in their text, which no language changes. */
const meanings: readonly (readonly [RegExp, MachineErrorCode, string])[] = [
  [/^AccessDenied\b/, 'driver-unavailable', `Your account may not use Hyper-V. ${joinGroup}`],
  [
    /^(CouldNotAutoLoadModule|CommandNotFoundException)\b/,
    'driver-unavailable',
    "Hyper-V's PowerShell module is not installed. Switch it on among the optional features of Windows, below Hyper-V",
  ],
  [
    /^OutOfMemory\b|0x8007000E|0x800705AA/,
    'boot-failed',
    'This computer has too little free memory for the machine. Make its memory smaller (--memory) or end other programs',
  ],
  [/0x80070070|0x80070027/, 'no-space', 'The disk of this computer is full'],
  [
    /0xC035(1000|001E)/i,
    'driver-unavailable',
    "The hypervisor does not run. Switch on virtualisation (VT-x, AMD-V, SVM) in the computer's firmware, and restart Windows",
  ],
];

function explain({ cmdlet, id, message }: { cmdlet: string; id: string; message: string }): CmdletError {
  const name = id.split(',', 1)[0] ?? '';
  const said = message.trim().replaceAll(/\s*\r?\n\s*/g, ' ');
  const meaning = meanings.find(([pattern]) => pattern.test(name) || pattern.test(message));
  return meaning === undefined
    ? new CmdletError('internal', `Hyper-V refused ${cmdlet}: ${said}`, name)
    : new CmdletError(meaning[1], `${meaning[2]}. Hyper-V says: ${said}`, name);
}

/** Windows' own, which always has Hyper-V's module where that is installed. Null when it is not there. */
export function findPowershell(computer: Computer): Promise<string | null> {
  const usual = [windowsFolder(computer, 'System32', 'WindowsPowerShell', 'v1.0')];
  return findProgram('powershell', { computer, usual });
}
