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

/** Whether the machine is made or started with the app: not for those who use none on this computer. */
export function preparesMachine(argv: readonly string[]): boolean {
  return !argv.includes('--no-machine');
}
