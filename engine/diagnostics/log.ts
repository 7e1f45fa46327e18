/** What the engine tells its operator: one line an entry, `time level message key=value …`, so that it reads well and greps well. */
export interface Log {
  debug(message: string, facts?: Facts): void;
  info(message: string, facts?: Facts): void;
  warn(message: string, facts?: Facts): void;
  error(message: string, facts?: Facts): void;
}

/** Never secrets: values go to a file that others may read. */
export type Facts = Readonly<Record<string, unknown>>;

const levels = ['debug', 'info', 'warn', 'error'] as const;

export function openLog(options: {
  readonly verbosity: (typeof levels)[number];
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}): Log {
  const { verbosity, write, now = () => new Date() } = options;
  const lowest = levels.indexOf(verbosity);
  const entry =
    (level: (typeof levels)[number]) =>
    (message: string, facts: Facts = {}): void => {
      if (levels.indexOf(level) < lowest) return;
      const pairs = Object.entries(facts).map(([key, value]) => ` ${key}=${printed(value)}`);
      write(`${now().toISOString()} ${level.padEnd(5)} ${message}${pairs.join('')}\n`);
    };
  return { debug: entry('debug'), info: entry('info'), warn: entry('warn'), error: entry('error') };
}

function printed(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(chain(value).join(': '));
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : (JSON.stringify(value) ?? 'undefined');
}

/** The messages of an error and its causes, outermost first. */
function chain(error: Error): string[] {
  return [error.message, ...(error.cause instanceof Error ? chain(error.cause) : [])];
}
