import { runRequest, type RunRequest } from '../../desktop/contract/containers.ts';

/**
 * The run dialog as text fields, the request that they mean, and the command that would do the same in a terminal.
 * Every field says for itself what is wrong with it, before anything is sent.
 */
export interface RunForm {
  readonly machine: string;
  readonly image: string;
  readonly name: string;
  /** Separated by spaces or commas: `8080:80`, `53:53/udp`, `80` for any free port. */
  readonly ports: string;
  /** One `NAME=value` a line. */
  readonly env: string;
  /** As typed into a shell: quotes and backslashes group, nothing is expanded. */
  readonly command: string;
  readonly removeWhenDone: boolean;
}

export type RunField = 'image' | 'name' | 'ports' | 'env' | 'command';
export type RunProblems = Readonly<Partial<Record<RunField, RunProblem>>>;

/** Which rule a field breaks and by which words; the page's text turns it into a sentence. */
export type RunProblem =
  | { readonly kind: 'missing' }
  | { readonly kind: 'bad-name' }
  | { readonly kind: 'bad-image' }
  | { readonly kind: 'bad-port'; readonly word: string }
  | { readonly kind: 'bad-variable'; readonly word: string }
  | { readonly kind: 'open-quote' };

export type ParsedRun =
  | { readonly kind: 'ready'; readonly request: RunRequest }
  | { readonly kind: 'problems'; readonly problems: RunProblems };

type Parsed<T> = { readonly value: T } | { readonly problem: RunProblem };

export function parseRunForm(form: RunForm): ParsedRun {
  const ports = parsePorts(form.ports);
  const env = parseEnv(form.env);
  const command = splitCommand(form.command);
  const problems: Partial<Record<RunField, RunProblem>> = {};
  if (form.image.trim() === '') problems.image = { kind: 'missing' };
  if ('problem' in ports) problems.ports = ports.problem;
  if ('problem' in env) problems.env = env.problem;
  if ('problem' in command) problems.command = command.problem;
  const name = form.name.trim();
  const request: RunRequest = {
    machine: form.machine,
    image: form.image.trim(),
    ...(name === '' ? {} : { name }),
    command: 'value' in command ? command.value : [],
    env: 'value' in env ? env.value : [],
    ports: 'value' in ports ? ports.value : [],
    removeWhenDone: form.removeWhenDone,
  };
  const checked = runRequest.safeParse(request);
  for (const issue of checked.error?.issues ?? []) {
    if (issue.path[0] === 'name') problems.name ??= { kind: 'bad-name' };
    if (issue.path[0] === 'image') problems.image ??= { kind: 'bad-image' };
    if (issue.path[0] === 'env') problems.env ??= { kind: 'bad-variable', word: form.env.trim() };
  }
  return Object.keys(problems).length === 0 ? { kind: 'ready', request } : { kind: 'problems', problems };
}

/** The same as a command line that a docker client understands. */
export function dockerCommand(request: RunRequest): string {
  const words = ['docker', 'run', '--detach'];
  if (request.removeWhenDone) words.push('--rm');
  if (request.name !== undefined) words.push('--name', request.name);
  for (const { hostPort, containerPort, protocol } of request.ports ?? []) {
    const target =
      protocol === undefined || protocol === 'tcp' ? String(containerPort) : `${containerPort}/${protocol}`;
    words.push('--publish', hostPort === null || hostPort === undefined ? target : `${hostPort}:${target}`);
  }
  for (const { name, value } of request.env ?? []) words.push('--env', `${name}=${value}`);
  words.push(request.image, ...(request.command ?? []));
  return shellLine(words);
}

/** Words as one line that a shell splits into the same words again. */
export function shellLine(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

/** Splits as a POSIX shell would, without expanding anything. */
export function splitCommand(line: string): Parsed<string[]> {
  const words: string[] = [];
  let word: string | null = null;
  let quote: '"' | "'" | null = null;
  for (let at = 0; at < line.length; at += 1) {
    const letter = line.charAt(at);
    const next = line.charAt(at + 1);
    if (quote !== null) {
      if (letter === quote) quote = null;
      else if (quote === '"' && letter === '\\' && '"\\$`'.includes(next) && next !== '')
        word = (word ?? '') + line.charAt((at += 1));
      else word = (word ?? '') + letter;
    } else if (letter === '"' || letter === "'") {
      quote = letter;
      word ??= '';
    } else if (letter === '\\' && next !== '') word = (word ?? '') + line.charAt((at += 1));
    else if (/\s/.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = (word ?? '') + letter;
  }
  if (quote !== null) return { problem: { kind: 'open-quote' } };
  if (word !== null) words.push(word);
  return { value: words };
}

type Port = NonNullable<RunRequest['ports']>[number];

function parsePorts(text: string): Parsed<Port[]> {
  const ports: Port[] = [];
  for (const word of text.split(/[\s,]+/).filter(Boolean)) {
    const match = /^(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp|sctp))?$/.exec(word);
    const hostPort = match?.[1] === undefined ? null : Number(match[1]);
    const containerPort = Number(match?.[2] ?? 0);
    if (match === null || !isPort(containerPort) || (hostPort !== null && !isPort(hostPort)))
      return { problem: { kind: 'bad-port', word } };
    const protocol = match[3] === 'udp' || match[3] === 'sctp' ? match[3] : 'tcp';
    ports.push({ containerPort, hostPort, protocol });
  }
  return { value: ports };
}

function isPort(port: number): boolean {
  return port >= 1 && port <= 65_535;
}

function parseEnv(text: string): Parsed<{ name: string; value: string }[]> {
  const variables: { name: string; value: string }[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const at = line.indexOf('=');
    if (at <= 0) return { problem: { kind: 'bad-variable', word: line.trim() } };
    variables.push({ name: line.slice(0, at).trim(), value: line.slice(at + 1) });
  }
  return { value: variables };
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
