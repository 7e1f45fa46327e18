/** `--log-opt`, by driver: which there are, and what they mean. */
import type { LogDriver } from '../../logs/log-plan.ts';
import { parseLogSize } from '../../logs/log-size.ts';
import { readSyslogAddress, syslogFacility, syslogFormat } from '../../logs/syslog-options.ts';
import { invalid } from '../../model/errors.ts';
import { assertTagTemplate } from './log-attributes.ts';
import type { ContainerSpec } from '../spec/spec.ts';

type Options = ContainerSpec['log']['options'];

export interface FileBounds {
  readonly maxSizeBytes: number;
  readonly maxFiles: number;
  readonly compresses: boolean;
}

/**
 * Logs are bounded unless the client says otherwise: dockerd's unbounded default fills disks (moby issue 40207). `-1` as
 * `max-size` takes the bound away, as it does there. Those of `local` and of the copies of what is sent away are docker's.
 */
const defaults = {
  'json-file': { maxSizeBytes: 10 * 1024 * 1024, maxFiles: 3, compresses: false },
  local: { maxSizeBytes: 20 * 1024 * 1024, maxFiles: 5, compresses: true },
} as const;

const common = ['mode', 'max-buffer-size'];
const attributes = ['labels', 'labels-regex', 'env', 'env-regex', 'tag'];
const cache = ['cache-disabled', 'cache-max-size', 'cache-max-file', 'cache-compress'];
const known: Readonly<Record<LogDriver, readonly string[]>> = {
  'json-file': ['max-size', 'max-file', 'compress', ...attributes, ...common],
  local: ['max-size', 'max-file', 'compress', ...common],
  syslog: ['syslog-address', 'syslog-facility', 'syslog-format', ...attributes, ...cache, ...common],
  journald: [...attributes, ...cache, ...common],
  none: [],
};

/** Throws `invalid` for options that are unknown or make no sense: to be asked at create, when somebody is there to read it. */
export function assertLogOptions({ driver, options }: ContainerSpec['log']): void {
  for (const name of Object.keys(options)) {
    if (known[driver].includes(name)) continue;
    const where = driver === 'local' ? 'log driver local' : `${driver} log driver`;
    throw invalid(`unknown log opt '${name}' for ${where}`);
  }
  assertMode(options);
  assertTagTemplate(options['tag'] ?? '');
  for (const name of ['labels-regex', 'env-regex']) assertRegex(name, options[name]);
  if (driver === 'json-file' || driver === 'local') fileBounds(driver, options);
  if (driver === 'syslog' || driver === 'journald') cacheBounds(options);
  if (driver === 'syslog') {
    readSyslogAddress(options['syslog-address'] ?? '');
    syslogFormat(options['syslog-format'] ?? '');
    syslogFacility(options['syslog-facility'] ?? '');
  }
}

export function fileBounds(driver: 'json-file' | 'local', options: Options): FileBounds {
  return bounds(options, {
    ...defaults[driver],
    // Whoever bounds the size of json-files, and says nothing of their number, has one with docker.
    maxFiles: driver === 'json-file' && options['max-size'] !== undefined ? 1 : defaults[driver].maxFiles,
  });
}

/** Of the copy that can be read here; null: there is to be none. */
export function cacheBounds(options: Options): FileBounds | null {
  if (flag('cache-disabled', options['cache-disabled']) === true) return null;
  const own = Object.entries(options).filter(([name]) => name.startsWith('cache-'));
  return bounds(Object.fromEntries(own.map(([name, value]) => [name.slice('cache-'.length), value])), defaults.local);
}

function bounds(options: Options, otherwise: FileBounds): FileBounds {
  const size = options['max-size'];
  const files = options['max-file'];
  const maxFiles = files === undefined ? otherwise.maxFiles : Number(files);
  if (!Number.isInteger(maxFiles) || maxFiles < 1) throw invalid(`max-file cannot be less than 1: ${files ?? ''}`);
  const maxSizeBytes =
    size === undefined
      ? otherwise.maxSizeBytes
      : size === '-1'
        ? Number.MAX_SAFE_INTEGER
        : parseLogSize('max-size', size);
  const wanted = flag('compress', options['compress']);
  if (wanted === true && maxFiles === 1)
    throw invalid('compress cannot be true when max-file is less than 2 or max-size is not set');
  return { maxSizeBytes, maxFiles, compresses: wanted ?? (otherwise.compresses && maxFiles > 1) };
}

/** The file is written as fast as the container writes, so `non-blocking` changes nothing. */
function assertMode({ mode = 'blocking', 'max-buffer-size': buffer }: Options): void {
  if (!['', 'blocking', 'non-blocking'].includes(mode)) throw invalid(`logger: logging mode not supported: ${mode}`);
  if (buffer === undefined) return;
  if (mode !== 'non-blocking')
    throw invalid("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  parseLogSize('max-buffer-size', buffer);
}

function flag(name: string, value: string | undefined): boolean | null {
  if (value === undefined || value === '') return null;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw invalid(`invalid value "${value}" for ${name}: expected true or false`);
}

function assertRegex(name: string, value: string | undefined): void {
  if (value === undefined) return;
  try {
    new RegExp(value);
  } catch (error) {
    throw invalid(`invalid value "${value}" for ${name}: ${error instanceof Error ? error.message : ''}`, {
      cause: error,
    });
  }
}
