/** When the app begins and ends, and with what. Machines are never stopped by it: they are no part of the app, and containers may be at work. */

/**
 * Whether closing the last window ends the app. With a tray it stays there; without one, nothing would be left to bring the
 * window back, but on macOS, where the dock does.
 */
export function endsWithLastWindow(host: { readonly hasTray: boolean; readonly platform: NodeJS.Platform }): boolean {
  return !host.hasTray && host.platform !== 'darwin';
}

/** Whether the window opens at the start: not when the app was started with the session. */
export function opensAtStart(argv: readonly string[]): boolean {
  return !argv.includes('--hidden');
}

/**
 * The machine that the app is about, and whether it is made or started with the app: `--machine=NAME`, `--driver=NAME`, and
 * `--no-machine` for those who use none on this computer.
 */
export function wantedMachine(argv: readonly string[]): WantedMachine {
  const valueOf = (name: string): string | null => {
    const prefix = `--${name}=`;
    return argv.findLast((word) => word.startsWith(prefix))?.slice(prefix.length) ?? null;
  };
  return {
    name: valueOf('machine') ?? 'default',
    driver: valueOf('driver'),
    isPrepared: !argv.includes('--no-machine'),
  };
}

export interface WantedMachine {
  readonly name: string;
  /** Null: the best for this computer. */
  readonly driver: string | null;
  readonly isPrepared: boolean;
}
