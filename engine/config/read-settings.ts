/**
 * Flags and the configuration file have dockerd's names, so that a unit file or a daemon.json that people have goes on
 * working. What is not known is refused by name: a setting that is silently ignored is worse than none.
 */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { logDrivers } from '../logs/log-plan.ts';
import { invalid } from '../model/errors.ts';
import {
  flattenRegistryKeys,
  registryFileKeys,
  registryOptions,
  registrySettings,
  registryUsage,
} from './registry-options.ts';
import type { Settings } from './settings.ts';

export type Command =
  | { readonly verb: 'serve' | 'check' | 'validate' | 'remove-all'; readonly settings: Settings }
  | { readonly verb: 'help' | 'version' };

const options = {
  host: { type: 'string', short: 'H', multiple: true },
  'data-root': { type: 'string' },
  'exec-root': { type: 'string' },
  pidfile: { type: 'string', short: 'p' },
  'config-file': { type: 'string' },
  bridge: { type: 'string', short: 'b' },
  bip: { type: 'string' },
  group: { type: 'string', short: 'G' },
  'log-driver': { type: 'string' },
  'log-opt': { type: 'string', multiple: true },
  'log-level': { type: 'string', short: 'l' },
  init: { type: 'boolean' },
  'init-path': { type: 'string' },
  label: { type: 'string', multiple: true },
  debug: { type: 'boolean', short: 'D' },
  check: { type: 'boolean' },
  validate: { type: 'boolean' },
  'remove-all': { type: 'boolean' },
  ...registryOptions,
  version: { type: 'boolean', short: 'v' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** Keys of the configuration file (dockerd's daemon.json) and the flag that says the same. */
const fileKeys: Readonly<Record<string, keyof typeof options>> = {
  hosts: 'host',
  'data-root': 'data-root',
  'exec-root': 'exec-root',
  pidfile: 'pidfile',
  bridge: 'bridge',
  bip: 'bip',
  group: 'group',
  'log-driver': 'log-driver',
  'log-opts': 'log-opt',
  'log-level': 'log-level',
  init: 'init',
  'init-path': 'init-path',
  labels: 'label',
  debug: 'debug',
  ...registryFileKeys,
};

export const usage = `Usage: skiffd [options]

The Skiff container engine: serves the Docker Engine API on unix sockets.

  -H, --host unix://PATH   socket to listen on; may be given again (default unix:///run/skiff/skiffd.sock)
      --data-root DIR      state that survives a reboot (default /var/lib/skiff/engine)
      --exec-root DIR      state that lives as long as the kernel (default /run/skiff/engine)
  -p, --pidfile FILE       (default /run/skiff/skiffd.pid)
      --config-file FILE   JSON of dockerd's form (default /etc/skiff/daemon.json where it exists)
  -b, --bridge NAME        name of the default bridge (default: derived from the data root)
      --bip ADDRESS/BITS   address of the default bridge (default: the first free pool)
  -G, --group GROUP        group that may use the sockets (default: root alone)
      --log-driver NAME    json-file, local, syslog, journald or none (default json-file)
      --log-opt KEY=VALUE  options of the log driver: max-size, max-file, …
  -l, --log-level LEVEL    debug, info, warn or error (default info)
      --init               a tiny init is process 1 of containers that do not say otherwise
      --init-path FILE     the program for that (default: docker-init, tini-static or catatonit, where installed)
      --label KEY=VALUE    label of the engine, shown in info
  -D, --debug              the same as --log-level debug
      --check              say what this host lacks, and exit
      --validate           check flags and the configuration file, and exit
      --remove-all         remove all containers and what the engine made on this host, and exit
  -v, --version            print the version, and exit
${registryUsage}`;

type Values = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Throws EngineError `invalid` naming the flag, key or file that is wrong. */
export function readCommand(args: readonly string[], env: Readonly<Record<string, string | undefined>> = {}): Command {
  const flags = readFlags(args);
  if (flags['help'] === true) return { verb: 'help' };
  if (flags['version'] === true) return { verb: 'version' };
  const settings = settingsFrom(merge(flags, readFile(flags)), env);
  const verbs = ['check', 'validate', 'remove-all'] as const;
  return { verb: verbs.find((verb) => flags[verb] === true) ?? 'serve', settings };
}

function readFlags(args: readonly string[]): Values {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values;
  } catch (error) {
    throw invalid(`${error instanceof Error ? error.message : String(error)} (see skiffd --help)`, { cause: error });
  }
}

function readFile(flags: Values): Values {
  const given = flags['config-file'];
  const file = typeof given === 'string' ? given : '/etc/skiff/daemon.json';
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (given === undefined && error instanceof Error && 'code' in error && error.code === 'ENOENT') return {};
    throw invalid(`unable to configure the engine with file ${file}: ${String(error)}`, { cause: error });
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw invalid(`unable to configure the engine with file ${file}: ${String(error)}`, { cause: error });
  }
  return fileValues(file, parsed);
}

function fileValues(file: string, parsed: unknown): Values {
  const fail = (why: string): never => {
    throw invalid(`unable to configure the engine with file ${file}: ${why}`);
  };
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return fail('it holds no JSON object');
  const given = flattenRegistryKeys(parsed as Readonly<Record<string, unknown>>, fail);
  const unknown = Object.keys(given).filter((key) => !(key in fileKeys));
  if (unknown.length > 0) fail(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  const values: Record<string, string | boolean | readonly string[]> = {};
  for (const [key, value] of Object.entries(given)) {
    const flag = fileKeys[key];
    if (flag === undefined) continue;
    const wanted = options[flag];
    if (key === 'log-opts') {
      if (typeof value !== 'object' || value === null) return fail('log-opts must be an object of strings');
      values[flag] = Object.entries(value).map(([name, text]) => `${name}=${String(text)}`);
    } else if ('multiple' in wanted) {
      if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
        return fail(`${key} must be a list of strings`);
      values[flag] = value;
    } else if (typeof value === wanted.type) {
      values[flag] = value as string | boolean;
    } else return fail(`${key} must be a ${wanted.type}`);
  }
  return values;
}

/** The same setting in both places is refused, as dockerd does: nobody can tell which one was meant. */
function merge(flags: Values, file: Values): Values {
  const both = Object.keys(file).filter((key) => flags[key] !== undefined);
  if (both.length > 0) {
    throw invalid(
      `the following directives are specified both as a flag and in the configuration file: ${both.join(', ')}`,
    );
  }
  return { ...file, ...flags };
}

function settingsFrom(values: Values, env: Readonly<Record<string, string | undefined>>): Settings {
  const text = (name: string, otherwise: string): string => {
    const value = values[name];
    return typeof value === 'string' ? value : otherwise;
  };
  const list = (name: string): readonly string[] => {
    const value = values[name];
    return Array.isArray(value) ? (value as readonly string[]) : [];
  };
  const hosts = list('host').length > 0 ? list('host') : ['unix:///run/skiff/skiffd.sock'];
  return {
    sockets: hosts.map(socketPath),
    dataRoot: absolute('data-root', text('data-root', '/var/lib/skiff/engine')),
    execRoot: absolute('exec-root', text('exec-root', '/run/skiff/engine')),
    pidFile: absolute('pidfile', text('pidfile', '/run/skiff/skiffd.pid')),
    bridgeName: typeof values['bridge'] === 'string' ? interfaceName(values['bridge']) : null,
    bridgeAddress: typeof values['bip'] === 'string' ? bridgeAddress(values['bip']) : null,
    logDriver: oneOf('log-driver', text('log-driver', 'json-file'), logDrivers),
    logOptions: Object.fromEntries(list('log-opt').map((pair) => keyValue('log-opt', pair))),
    initPath: typeof values['init-path'] === 'string' ? absolute('init-path', values['init-path']) : null,
    isInitDefault: values['init'] === true,
    labels: list('label'),
    verbosity:
      values['debug'] === true
        ? 'debug'
        : oneOf('log-level', text('log-level', 'info'), ['debug', 'info', 'warn', 'error']),
    socketGroup: typeof values['group'] === 'string' ? values['group'] : null,
    registries: registrySettings(values, env),
  };
}

function socketPath(host: string): string {
  if (host.startsWith('unix://') && path.isAbsolute(host.slice(7))) return path.normalize(host.slice(7));
  if (host.startsWith('tcp://')) {
    throw invalid(`invalid value "${host}" for --host: TCP is not there yet; give unix:///path and reach it over SSH`);
  }
  throw invalid(`invalid value "${host}" for --host: expected unix:///absolute/path`);
}

function absolute(name: string, value: string): string {
  if (value === '') throw invalid(`--${name} must not be empty`);
  return path.resolve(value);
}

function interfaceName(value: string): string {
  if (value === 'none') throw invalid('--bridge none is not there yet: run containers with --network none instead');
  if (!/^[a-zA-Z0-9_.-]{1,15}$/.test(value))
    throw invalid(`invalid value "${value}" for --bridge: at most 15 letters, digits, _ . -`);
  return value;
}

function bridgeAddress(value: string): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(value);
  const numbers = match?.slice(1).map(Number) ?? [];
  const isAddress = numbers.length === 5 && numbers.slice(0, 4).every((part) => part <= 255);
  const bits = numbers[4] ?? 0;
  if (!isAddress || bits < 8 || bits > 30)
    throw invalid(`invalid value "${value}" for --bip: expected an address like 172.18.0.1/16`);
  return value;
}

function oneOf<T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((candidate) => candidate === value);
  if (found === undefined) throw invalid(`invalid value "${value}" for --${name}: expected ${allowed.join(', ')}`);
  return found;
}

function keyValue(name: string, pair: string): [string, string] {
  const at = pair.indexOf('=');
  if (at < 1) throw invalid(`invalid value "${pair}" for --${name}: expected KEY=VALUE`);
  return [pair.slice(0, at), pair.slice(at + 1)];
}
