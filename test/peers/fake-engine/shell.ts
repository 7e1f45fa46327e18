import type { Readable } from 'node:stream';

/**
 * The programs that a container of the fake engine can run: a handful of busybox's, and as much of `sh -c` as tests say
 * the same things in to a real engine: statements split by `;`, `&` and newlines, quotes, `$VAR`, `>&2`, `exit`, `trap`,
 * `wait`, `read`. As pid 1 of a real container does, it ignores every signal that it has no trap for, but KILL.
 */
export interface FakeProcess {
  readonly exited: Promise<number>;
  /** `signal` without SIG. */
  kill(signal: string): void;
}

export interface ProcessSpec {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workingDir: string;
  readonly stdin: Readable;
  readonly write: (stream: 'stdout' | 'stderr', text: string | Buffer) => void;
  /** Null without a terminal. */
  readonly terminalSize: () => { readonly rows: number; readonly columns: number } | null;
}

const signalNumbers: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  KILL: 9,
  USR1: 10,
  USR2: 12,
  TERM: 15,
};

class Exit extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

export function signalName(signal: string): string | null {
  const name = signal.toUpperCase().replace(/^SIG/, '');
  if (name in signalNumbers) return name;
  return Object.entries(signalNumbers).find(([, number]) => String(number) === name)?.[0] ?? null;
}

export function isProgram(name: string): boolean {
  return name in programs;
}

export function startProcess(spec: ProcessSpec): FakeProcess {
  const killed = Promise.withResolvers<number>();
  const over = new AbortController();
  const shell = new Shell(spec, { signal: over.signal, kill: killed.resolve });
  const exited = Promise.race([shell.run(spec.argv).catch(exitCodeOf), killed.promise]).finally(() => over.abort());
  return {
    exited,
    kill: (signal) => (signal === 'KILL' ? killed.resolve(128 + 9) : shell.deliver(signal)),
  };
}

function exitCodeOf(error: unknown): number {
  if (error instanceof Exit) return error.code;
  throw error;
}

type Program = (shell: Shell, args: readonly string[]) => Promise<number> | number;

const programs: Readonly<Record<string, Program>> = {
  true: () => 0,
  false: () => 1,
  '/hello': (shell) => shell.print('Hello from Skiff!\n'),
  echo: (shell, args) => shell.print(args[0] === '-n' ? args.slice(1).join(' ') : `${args.join(' ')}\n`),
  env: (shell) =>
    shell.print(
      Object.entries(shell.spec.env)
        .map(([key, value]) => `${key}=${value}\n`)
        .join(''),
    ),
  pwd: (shell) => shell.print(`${shell.spec.workingDir}\n`),
  seq: (shell, [last = '0']) =>
    shell.print(Array.from({ length: Number(last) }, (_, index) => `${index + 1}\n`).join('')),
  cat: async (shell) => {
    for await (const chunk of shell.spec.stdin as AsyncIterable<Buffer>) shell.print(chunk);
    return 0;
  },
  sleep: (shell, [seconds = '0']) => shell.sleep(Number(seconds) * 1000),
  stty: (shell) => {
    const size = shell.spec.terminalSize();
    return size ? shell.print(`${size.rows} ${size.columns}\n`) : 1;
  },
  sh: (shell, args) => (args[0] === '-c' ? shell.script(args[1] ?? '') : shell.interactive()),
};

class Shell {
  readonly spec: ProcessSpec;
  readonly #signal: AbortSignal;
  readonly #kill: (exitCode: number) => void;
  readonly #traps = new Map<string, string>();
  readonly #variables = new Map<string, string>();
  #background: Promise<number>[] = [];
  #sink: 'stdout' | 'stderr' = 'stdout';

  constructor(spec: ProcessSpec, on: { readonly signal: AbortSignal; readonly kill: (exitCode: number) => void }) {
    this.spec = spec;
    this.#signal = on.signal;
    this.#kill = on.kill;
  }

  print(text: string | Buffer): number {
    if (!this.#signal.aborted) this.spec.write(this.#sink, text);
    return 0;
  }

  sleep(durationMs: number): Promise<number> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(0), Math.min(durationMs, 2 ** 31 - 1));
      this.#signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
    });
  }

  deliver(signal: string): void {
    const action = this.#traps.get(signal);
    if (action === undefined) return;
    this.script(action).catch((error: unknown) => this.#kill(exitCodeOf(error)));
  }

  async run(argv: readonly string[]): Promise<number> {
    const [name = '', ...args] = argv;
    const program = programs[name];
    if (program) return program(this, args);
    this.spec.write('stderr', `sh: ${name}: not found\n`);
    return 127;
  }

  async script(text: string): Promise<number> {
    let exitCode = 0;
    for (const { words, isBackground, toStderr } of statements(text)) {
      if (this.#signal.aborted) break;
      this.#sink = toStderr ? 'stderr' : 'stdout';
      const running = this.#statement(words.map((word) => this.#expand(word)));
      if (isBackground) this.#background.push(running);
      else exitCode = await running;
    }
    return exitCode;
  }

  /** `sh` without `-c` runs each line of its stdin. */
  async interactive(): Promise<number> {
    let exitCode = 0;
    for (let line = await this.#readLine(); line !== null; line = await this.#readLine())
      exitCode = await this.script(line);
    return exitCode;
  }

  async #statement(words: readonly string[]): Promise<number> {
    const [name = '', ...args] = words;
    switch (name) {
      case 'exit':
        throw new Exit(Number(args[0] ?? 0));
      case 'trap':
        for (const signal of args.slice(1)) this.#traps.set(signalName(signal) ?? signal, args[0] ?? '');
        return 0;
      case 'wait':
        await Promise.all(this.#background);
        this.#background = [];
        return 0;
      case 'read': {
        const line = await this.#readLine();
        if (args[0]) this.#variables.set(args[0], line ?? '');
        return line === null ? 1 : 0;
      }
      default:
        return this.run(words);
    }
  }

  async #readLine(): Promise<string | null> {
    const bytes: number[] = [];
    for (;;) {
      const chunk: unknown = this.spec.stdin.read(1);
      if (Buffer.isBuffer(chunk)) {
        if (chunk[0] === 10) return Buffer.from(bytes).toString();
        bytes.push(...chunk);
      } else if (this.spec.stdin.readableEnded || this.spec.stdin.destroyed) {
        return bytes.length > 0 ? Buffer.from(bytes).toString() : null;
      } else {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            for (const event of ['readable', 'end', 'close']) this.spec.stdin.off(event, done);
            resolve();
          };
          for (const event of ['readable', 'end', 'close']) this.spec.stdin.once(event, done);
        });
      }
    }
  }

  #expand(word: string): string {
    return word.replace(/\$(\w+)/g, (_, name: string) => this.#variables.get(name) ?? this.spec.env[name] ?? '');
  }
}

interface Statement {
  readonly words: readonly string[];
  readonly isBackground: boolean;
  readonly toStderr: boolean;
}

function statements(text: string): Statement[] {
  const all: Statement[] = [];
  const token = /[ \t]*(?:(>&2)|([;&\n])|((?:"[^"]*"|'[^']*'|[^\s;&"'>])+))/gy;
  let words: string[] = [];
  let toStderr = false;
  const finish = (isBackground: boolean): void => {
    if (words.length > 0) all.push({ words, isBackground, toStderr });
    words = [];
    toStderr = false;
  };
  for (const [, redirect, end, word] of text.matchAll(token)) {
    if (redirect) toStderr = true;
    else if (end) finish(end === '&');
    else if (word) words.push(word.replaceAll(/"([^"]*)"|'([^']*)'/g, (_, a?: string, b?: string) => a ?? b ?? ''));
  }
  finish(false);
  return all;
}
