import { shellQuote } from '../line/line.ts';
import type { MachineLayout } from './machine-layout.ts';
import { engineProgram } from './engine-release.ts';

/** How Node runs the engine. */
export const engineNodeFlags: readonly string[] = [
  // node:sqlite still announces itself as experimental on each start.
  '--disable-warning=ExperimentalWarning',
  // The engine is idle most of its life; its young generation need not grow to V8's default (20 MB less in a pull than with 8).
  '--max-semi-space-size=2',
  // Node looks at every character of its program's path many times over. One as long as a release's makes V8's optimising compiler
  // begin before anything can hold it back (kept-code.ts), a tenth of a second of an emulated machine's start. Hence /proc/self/cwd.
  '--preserve-symlinks-main',
];

/**
 * The program `run` of a release: what the machine's service starts. `SKIFF_RELEASE` stays in the environment of the engine and of
 * its monitor, and so tells which release a process is of: command lines do not, for a program may give itself a title.
 */
export function runScript(options: {
  readonly layout: MachineLayout;
  readonly node: string;
  readonly group: string | null;
}): string {
  const { layout, node, group } = options;
  const args = [
    ['-H', `unix://${layout.engineSocket}`],
    ['--data-root', layout.dataRoot],
    ['--exec-root', layout.execRoot],
    ['--pidfile', layout.enginePidFile],
    group === null ? [] : ['--group', group],
  ].flat();
  const command = [shellQuote(node), ...engineNodeFlags].join(' ');
  return [
    '#!/bin/sh',
    // The release itself, not the link that leads to it; no program is started to find that out.
    'cd -P "${0%/*}" || exit 1',
    'export SKIFF_RELEASE="$PWD"',
    `export NODE_COMPILE_CACHE=${shellQuote(layout.compileCache)}`,
    `set -- ${args.map(shellQuote).join(' ')} "$@"`,
    // A service whose Node is started already, the very same, is told what it is to run (waiting-node.js in the machine image).
    `if [ "$SKIFF_WAITING_NODE" = ${shellQuote(command)} ]; then`,
    // Opened for both ways, which never blocks: should it just have ended, the service sees that.
    `  printf '%s\\n' "$SKIFF_RELEASE" "$NODE_COMPILE_CACHE" "$@" '' 1<>/run/skiff/waiting-node && exit 93`,
    'fi',
    'unset SKIFF_WAITING_NODE',
    `exec ${command} /proc/self/cwd/${engineProgram} "$@"`,
    '',
  ].join('\n');
}
