/** The command line itself is wrong: a flag, its value, the number of arguments. Printed with the usage of the verb; exit code 125 for flags, 1 for arguments, as docker's. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
  readonly exitCode: 1 | 125;

  constructor(message: string, exitCode: 1 | 125 = 125) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The command cannot be done; the message says why and what to do. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, options: ErrorOptions & { readonly exitCode?: number } = {}) {
    super(message, options);
    this.exitCode = options.exitCode ?? 1;
  }
}
