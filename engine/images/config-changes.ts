/**
 * Lines of a Dockerfile that change an image's config and nothing else, as `commit --change` and `import --change` take them (source: docker commit
 * reference). Variables of the config's environment are put in, but not into commands.
 */
import path from 'node:path';
import { invalid } from '../model/errors.ts';

/** An image's config in docker's words, while it is being changed. */
export type ImageWords = Record<string, unknown>;

export function applyChange(config: ImageWords, line: string): void {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*([\s\S]*?)\s*$/.exec(line) ?? [];
  const change = changes[word.toUpperCase()];
  if (change === undefined) throw invalid(`${word} is not a valid change command`);
  const name = word.toUpperCase();
  if (rest === '' && !commands.includes(name))
    throw invalid(`${name} requires ${singles.includes(name) ? 'exactly' : 'at least'} one argument`);
  change(config, [...commands, 'HEALTHCHECK', 'ONBUILD'].includes(name) ? rest : withVariables(config, rest));
}

const commands = ['CMD', 'ENTRYPOINT'];
const singles = ['STOPSIGNAL', 'USER', 'WORKDIR'];
const noTriggers = ['FROM', 'MAINTAINER', 'ONBUILD'];

const changes: Readonly<Record<string, (config: ImageWords, rest: string) => void>> = {
  CMD: (config, rest) => (config['Cmd'] = command(config, rest)),
  ENTRYPOINT: (config, rest) => (config['Entrypoint'] = rest === '' ? null : command(config, rest)),
  ENV(config, rest) {
    const given = pairs('ENV', rest);
    const names = new Set(given.map(([name]) => name));
    const kept = texts(config['Env']).filter((variable) => !names.has(variable.split('=', 1)[0] ?? ''));
    config['Env'] = [...kept, ...given.map(([name, value]) => `${name}=${value}`)];
  },
  EXPOSE(config, rest) {
    const ports = words(rest).map((port) => (port.includes('/') ? port : `${port}/tcp`));
    const wrong = ports.find((port) => !/^\d{1,5}(-\d{1,5})?\/(tcp|udp|sctp)$/.test(port));
    if (wrong !== undefined) throw invalid(`Invalid containerPort: ${wrong.replace(/\/tcp$/, '')}`);
    config['ExposedPorts'] = {
      ...objectOf(config['ExposedPorts']),
      ...Object.fromEntries(ports.flatMap(portsOf).map((port) => [port, {}])),
    };
  },
  HEALTHCHECK: (config, rest) => (config['Healthcheck'] = healthcheck(rest)),
  LABEL(config, rest) {
    config['Labels'] = { ...objectOf(config['Labels']), ...Object.fromEntries(pairs('LABEL', rest)) };
  },
  ONBUILD(config, rest) {
    const [word = ''] = rest.split(/\s/, 1);
    if (noTriggers.includes(word.toUpperCase()))
      throw invalid(`${word.toUpperCase()} isn't allowed as an ONBUILD trigger`);
    config['OnBuild'] = [...texts(config['OnBuild']), rest];
  },
  STOPSIGNAL: (config, rest) => (config['StopSignal'] = rest),
  USER: (config, rest) => (config['User'] = rest),
  VOLUME(config, rest) {
    const targets = jsonWords(rest) ?? words(rest);
    config['Volumes'] = {
      ...objectOf(config['Volumes']),
      ...Object.fromEntries(targets.map((target) => [target, {}])),
    };
  },
  WORKDIR(config, rest) {
    const before = typeof config['WorkingDir'] === 'string' ? config['WorkingDir'] : '';
    config['WorkingDir'] = path.posix.resolve('/', before, rest);
  },
};

/** `8000-8002/udp` as each of its ports. */
function portsOf(text: string): readonly string[] {
  const [, first = '', last = first, protocol = ''] = /^(\d+)(?:-(\d+))?\/(\w+)$/.exec(text) ?? [];
  const count = Number(last) - Number(first) + 1;
  if (count < 1 || Number(first) < 1 || Number(last) > 65_535) throw invalid(`Invalid containerPort: ${text}`);
  return Array.from({ length: count }, (_, index) => `${Number(first) + index}/${protocol}`);
}

/** `$NAME`, `${NAME}`, `${NAME:-otherwise}`, `${NAME:+instead}`; not where a backslash or single quotes stand around. */
function withVariables(config: ImageWords, text: string): string {
  const values = new Map(
    texts(config['Env']).map((pair) => [pair.split('=', 1)[0] ?? '', pair.slice(pair.indexOf('=') + 1)]),
  );
  return text.replaceAll(
    /\\[\s\S]|'[^']*'|\$(?:(\w+)|\{(\w+)(?::([-+])([^}]*))?\})/g,
    (found: string, plain?: string, braced?: string, operator?: string, word = '') => {
      const name = plain ?? braced;
      if (name === undefined) return found;
      const value = values.get(name) ?? '';
      if (operator === '-') return value === '' ? word : value;
      if (operator === '+') return value === '' ? '' : word;
      return value;
    },
  );
}

/** A JSON list as it is; anything else for the image's shell. */
function command(config: ImageWords, rest: string): readonly string[] {
  const shell = texts(config['Shell']);
  return jsonWords(rest) ?? [...(shell.length > 0 ? shell : ['/bin/sh', '-c']), ...(rest === '' ? [] : [rest])];
}

function healthcheck(rest: string): object {
  const options: Record<string, number> = {};
  let left = rest;
  for (let match = option.exec(left); match !== null; match = option.exec(left)) {
    const [whole, name = '', value = ''] = match;
    const field = healthFields[name];
    if (field === undefined) throw invalid(`Unknown flag: ${name}`);
    options[field] = field === 'Retries' ? Number(value) : nanoseconds(value);
    left = left.slice(whole.length);
  }
  const [, kind = '', args = ''] = /^(\S+)\s*([\s\S]*)$/.exec(left) ?? [];
  if (kind.toUpperCase() === 'NONE') return { Test: ['NONE'] };
  if (kind.toUpperCase() !== 'CMD' || args === '')
    throw invalid(`Unknown type ${JSON.stringify(kind)} in HEALTHCHECK (try CMD)`);
  const list = jsonWords(args);
  return { Test: list === null ? ['CMD-SHELL', args] : ['CMD', ...list], ...options };
}

const option = /^--([a-z-]+)=(\S+)\s+/;
const healthFields: Readonly<Record<string, string>> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
  retries: 'Retries',
};

const units: Readonly<Record<string, number>> = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, us: 1e3, ns: 1 };

/** Go's durations: `1m30s`. */
function nanoseconds(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)];
  if (parts.length === 0 || parts.map(([whole]) => whole).join('') !== text)
    throw invalid(`time: invalid duration ${JSON.stringify(text)}`);
  return parts.reduce((sum, [, number, unit = 's']) => sum + Number(number) * (units[unit] ?? 0), 0);
}

/** `a=b c="d e"`, or `a b c` for one name. */
function pairs(instruction: string, rest: string): readonly (readonly [string, string])[] {
  const [first = ''] = words(rest);
  if (!first.includes('=')) {
    const [, name = '', value] = /^(\S+)\s+([\s\S]+)$/.exec(rest) ?? [];
    if (value === undefined) throw invalid(`${instruction} must have two arguments`);
    return [[name, value]];
  }
  return words(rest).map((word) => {
    const at = word.indexOf('=');
    if (at < 1)
      throw invalid(`Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

/** As a shell would part them: quotes and backslashes are taken away. */
function words(text: string): readonly string[] {
  return [...text.matchAll(/(?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*"|'[^']*'|[^\s"'\\])+/g)].map(([word]) =>
    word.replaceAll(/\\([\s\S])|"((?:\\[\s\S]|[^"\\])*)"|'([^']*)'/g, (_, escaped, double, single) =>
      String(escaped ?? (double === undefined ? single : String(double).replaceAll(/\\([\s\S])/g, '$1'))),
    ),
  );
}

function jsonWords(text: string): readonly string[] | null {
  if (!text.startsWith('[')) return null;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((item) => typeof item === 'string') ? list : null;
  } catch {
    return null; // a command that begins with a bracket
  }
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
