/** What runs: command, variables, user, groups, limits of its own, terminal. */
import path from 'node:path';
import type { CreateRequest } from '../../../containers/spec/create-request.ts';
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
    addedGroups: host.texts('GroupAdd'),
    oomScoreAdjust: oomScoreAdjust(host),
    ulimits: host.objects('Ulimits', '[]*units.Ulimit').map((limit) => ({
      name: limit.text('Name'),
      soft: limit.integer('Soft') ?? 0,
      hard: limit.integer('Hard') ?? 0,
    })),
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

function oomScoreAdjust(host: Fields): number | null {
  const value = host.integer('OomScoreAdj');
  if (value !== null && Math.abs(value) > 1000)
    throw invalid(`Invalid value ${value}, range for oom score adj is [-1000, 1000]`);
  return value;
}

/** Too few numbers are zeros and too many are passed over, as Go reads an array of two. */
function consoleSize(value: unknown): { rows: number; columns: number } | null {
  if (value === undefined || value === null) return null;
  const isPair = Array.isArray(value) && value.every((item) => Number.isInteger(item) && Number(item) >= 0);
  if (!isPair) throw invalid('invalid JSON: json: .HostConfig.ConsoleSize must be two numbers');
  const [rows, columns] = value as readonly number[];
  return rows === undefined || columns === undefined || rows + columns === 0 ? null : { rows, columns };
}

function checkedVariable(variable: string): string {
  if (variable === '' || variable.startsWith('=')) throw invalid(`invalid environment variable: ${variable}`);
  if (variable.includes('\0')) throw invalid('invalid environment variable: it holds a zero byte');
  return variable;
}
