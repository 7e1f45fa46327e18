/** From Docker's words for an exec to ours. */
import type { ExecSpec } from '../../exec/exec.ts';
import { invalid } from '../../model/errors.ts';
import type { Exchange } from '../exchange.ts';
import { Fields } from '../fields.ts';
import { detachKeysOf } from '../join-streams.ts';

export function readExecBody(body: Record<string, unknown>, exchange: Exchange): ExecSpec {
  const fields = new Fields('ExecOptions', body);
  const command = fields.texts('Cmd');
  if (command.length === 0) throw invalid('No exec command specified');
  const detachKeys = fields.text('DetachKeys');
  if (detachKeys !== '') detachKeysOf(detachKeys);
  const workingDir = fields.text('WorkingDir');
  return {
    command,
    env: fields.texts('Env').filter((variable) => variable !== '' && !variable.startsWith('=')),
    user: fields.text('User'),
    workingDir: workingDir === '' ? null : workingDir,
    isPrivileged: fields.flag('Privileged'),
    hasTerminal: fields.flag('Tty'),
    consoleSize: exchange.isSince('1.42') ? consoleSize(fields.raw('ConsoleSize')) : null,
    detachKeys,
    attached: {
      stdin: fields.flag('AttachStdin'),
      stdout: fields.flag('AttachStdout'),
      stderr: fields.flag('AttachStderr'),
    },
  };
}

/** Height and width; null when it is not given, or is no size. */
export function consoleSize(value: unknown): ExecSpec['consoleSize'] {
  if (value === undefined || value === null) return null;
  const [rows, columns] = Array.isArray(value) ? (value as unknown[]) : [];
  if (!isSide(rows) || !isSide(columns)) throw invalid('invalid JSON: ConsoleSize must be two numbers');
  return rows === 0 && columns === 0 ? null : { rows, columns };
}

function isSide(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535;
}
