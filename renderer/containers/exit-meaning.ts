/** What an exit code tells, for those who do not know them by heart. 125 to 127 as docker and shells use them, 128 + n a signal. */
export type ExitMeaning =
  | { readonly kind: 'success' }
  | { readonly kind: 'failure' }
  | { readonly kind: 'not-executable' }
  | { readonly kind: 'not-found' }
  | { readonly kind: 'killed' }
  | { readonly kind: 'terminated' }
  | { readonly kind: 'signal'; readonly name: string };

const signals: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  10: 'SIGUSR1',
  11: 'SIGSEGV',
  12: 'SIGUSR2',
  13: 'SIGPIPE',
  14: 'SIGALRM',
};

export function exitMeaning(code: number): ExitMeaning {
  if (code === 0) return { kind: 'success' };
  if (code === 126) return { kind: 'not-executable' };
  if (code === 127) return { kind: 'not-found' };
  if (code === 137) return { kind: 'killed' };
  if (code === 143) return { kind: 'terminated' };
  const name = signals[code - 128];
  return name === undefined ? { kind: 'failure' } : { kind: 'signal', name };
}
