import { shellQuote } from '../line/line.ts';
import type { MachineLayout } from './machine-layout.ts';

/**
 * The shell programs of a deployment. Each is one command over SSH, because on an emulated machine every command costs
 * a tenth of a second; each is written for a plain POSIX shell with busybox's or GNU's programs.
 */

/** Asks what the machine has already. Answers in lines `key value`. */
export function inspectScript(layout: MachineLayout, digests: readonly string[]): string {
  const { deployFolder } = layout;
  return [
    `mkdir -p ${shellQuote(deployFolder)}/objects ${shellQuote(deployFolder)}/releases && cd ${shellQuote(deployFolder)} || exit 1`,
    'echo "arch $(uname -m)"',
    'release=$(readlink current) && echo "current ${release##*/}"',
    `runtime=$(cat ${shellQuote(`${layout.systemRuntime}/runtime.json`)} 2>/dev/null) && echo "runtime $runtime"`,
    `for digest in ${digests.join(' ')}; do [ -f "objects/$digest" ] && echo "object $digest"; done`,
    'for node in node/*/bin/node; do [ -x "$node" ] && echo "node $node"; done',
    'true',
  ].join('\n');
}

/** Unpacks objects from a gzipped tar on its input, each named by its digest, and keeps those that are what they are named. */
export function storeObjectsScript(layout: MachineLayout, digests: readonly string[]): string {
  const sums = digests.map((digest) => `${digest}  ${digest}`).join('\n');
  return [
    `cd ${shellQuote(layout.deployFolder)} && rm -rf incoming && mkdir incoming && cd incoming || exit 1`,
    'gunzip -c | tar -xf - || exit 1',
    `sha256sum -c - >&2 <<'END' || { echo "a file arrived damaged" >&2; exit 1; }`,
    sums,
    'END',
    // Only what was written here: a plain sync would wait for all that containers have written.
    'sync * && mv -f * ../objects/ && cd .. && sync objects && rmdir incoming',
  ].join('\n');
}

/** Puts a release together out of objects (hard links), under a name that appears when it is whole. */
export function assembleScript(options: {
  readonly layout: MachineLayout;
  readonly release: string;
  readonly files: readonly { readonly path: string; readonly sha256: string }[];
  readonly runScript: string;
}): string {
  const { layout, release, files } = options;
  const folders = [
    ...new Set(files.map(({ path }) => path.split('/').slice(0, -1).join('/')).filter((path) => path !== '')),
  ];
  const making = `releases/.${release}.new`;
  return [
    `cd ${shellQuote(layout.deployFolder)} || exit 1`,
    `[ -x releases/${release}/run ] && exit 0`,
    `rm -rf ${making} && mkdir -p ${[making, ...folders.map((path) => `${making}/${path}`)].join(' ')} || exit 1`,
    ...files.map(({ path, sha256 }) => `ln objects/${sha256} ${making}/${path} || exit 1`),
    `cat > ${making}/run <<'END' || exit 1`,
    `${options.runScript}END`,
    `chmod 0755 ${making}/run && sync ${[making, ...folders.map((path) => `${making}/${path}`)].join(' ')} ${making}/run && rm -rf releases/${release} && mv ${making} releases/${release} && sync releases`,
  ].join('\n');
}

/** Lets `current` mean another release, by one rename, and restarts the engine. The log is marked: what follows is of this start. */
export function switchScript(layout: MachineLayout, release: string): string {
  return [
    // A log whose end a power cut turned into zeros has no last line end of its own.
    `printf '\\n%s\\n' ${shellQuote(switchMark(release))} >> ${shellQuote(layout.engineLog)}`,
    `cd ${shellQuote(layout.deployFolder)} || exit 1`,
    `rm -f current.new && ln -s releases/${release} current.new && mv -T current.new current && sync . || exit 1`,
    layout.restart,
  ].join('\n');
}

/** Asks which release the running engine is of: its folder. */
export function runningReleaseScript(layout: MachineLayout): string {
  return [
    `pid=$(cat ${shellQuote(layout.enginePidFile)} 2>/dev/null) || exit 0`,
    `tr '\\000' '\\n' < "/proc/$pid/environ" 2>/dev/null | sed -n 's/^SKIFF_RELEASE=//p'`,
    'true',
  ].join('\n');
}

/** Asks for what the log says since the last switch to a release. */
export function logSinceSwitchScript(layout: MachineLayout, release: string): string {
  const log = shellQuote(layout.engineLog);
  return [
    `line=$(grep -nxF ${shellQuote(switchMark(release))} ${log} | tail -n 1)`,
    '[ -n "$line" ] || exit 0',
    `tail -n "+$((\${line%%:*} + 1))" ${log} | tail -n 60`,
  ].join('\n');
}

function switchMark(release: string): string {
  return `skiff: release ${release} is switched to`;
}

/**
 * Removes releases but those named and those of which a process still runs (an older release's monitor lives as long as its
 * containers), and objects that no release holds any more.
 */
export function pruneScript(layout: MachineLayout, keep: readonly string[]): string {
  return [
    `cd ${shellQuote(layout.deployFolder)}/releases || exit 1`,
    // In one pass, because an emulated machine takes ten milliseconds to start a program. The engine gives itself a title and
    // keeps its environment; its monitor has an environment of its own and keeps its command line.
    `running=$(cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | tr '\\000' '\\n' | sed -n -e 's/^SKIFF_RELEASE=.*[/]//p' -e 's,.*/releases/\\([0-9a-f]*\\)/.*,\\1,p' | sort -u)`,
    'for release in *; do',
    `  case $release in '*'|${keep.join('|')}) continue ;; esac`,
    '  case " $(echo $running) " in *" $release "*) continue ;; esac',
    '  rm -rf "$release"',
    'done',
    'rm -rf .*.new',
    'cd ../objects && for object in *; do',
    '  [ "$(stat -c %h "$object" 2>/dev/null)" = 1 ] && rm -f "$object"',
    'done',
    'true',
  ].join('\n');
}
