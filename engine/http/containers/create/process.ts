/** What runs: command, variables, user, terminal. */
import path from 'node:path';
import type { CreateRequest } from '../../../containers/create-request.ts';
import { invalid } from '../../../model/errors.ts';
import type { Fields } from '../../fields.ts';

export function readProcess(config: Fields, host: Fields): CreateRequest['process'] {
  const workingDir = config.text('WorkingDir');
  if (workingDir !== '' && !path.posix.isAbsolute(workingDir)) {
    throw invalid(`the working directory '${workingDir}' is invalid, it needs to be an absolute path`);
  }
  return {
    entrypoint: config.words('Entrypoint'),
    command: config.words('Cmd'),
    env: config.texts('Env').map(checkedVariable),
    workingDir: workingDir === '' ? null : path.posix.normalize(workingDir),
    user: config.text('User') || null,
    addedGroups: [],
    oomScoreAdjust: null,
    ulimits: [],
    hasTerminal: config.flag('Tty'),
    consoleSize: consoleSize(host.raw('ConsoleSize')),
    isStdinOpen: config.flag('OpenStdin'),
    isStdinOnce: config.flag('StdinOnce'),
    attached: {
      stdin: config.flag('AttachStdin'),
      stdout: config.flag('AttachStdout'),
      stderr: config.flag('AttachStderr'),
    },
  };
}

function consoleSize(value: unknown): { rows: number; columns: number } | null {
  if (!Array.isArray(value)) return null;
  const [rows, columns] = value as unknown[];
  if (!Number.isInteger(rows) || !Number.isInteger(columns))
    throw invalid('invalid JSON: ConsoleSize must be two numbers');
  return rows === 0 && columns === 0 ? null : { rows: Number(rows), columns: Number(columns) };
}

function checkedVariable(variable: string): string {
  if (variable === '' || variable.startsWith('=')) throw invalid(`invalid environment variable: ${variable}`);
  if (variable.includes('\0')) throw invalid('invalid environment variable: it holds a zero byte');
  return variable;
}
