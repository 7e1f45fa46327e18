import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { shellQuote } from '../../provisioners/line/line.ts';
import type { CommandResult, RunOptions } from '../../provisioners/line/line.ts';
import { LocalLine } from '../../provisioners/line/local-line.ts';

/**
 * A host of some distribution, as far as making it fit can see: a root of its own with busybox's programs, the distribution's
 * os-release as it was recorded, and a package manager that is played: it knows some packages, which bring files, and
 * refuses what the real one refuses. The scripts that run there are the real ones.
 */
export interface PlayedDistribution {
  /** Contents of /etc/os-release. */
  readonly osRelease: string;
  readonly manager: keyof typeof managers;
  readonly init: 'systemd' | 'openrc' | 'none';
  readonly libc: 'glibc' | 'musl';
  /** What its repositories hold: `name` or `name=version` to the files that come with it, a program by what it prints. */
  readonly packages: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Programs of a fresh system of that kind that are missing, of those that busybox has; or the library libstdc++.so.6. */
  readonly lacks?: readonly string[];
}

export class PlayedHost extends LocalLine implements Disposable {
  readonly root: string;

  constructor(distribution: PlayedDistribution) {
    super();
    this.root = mkdtempSync(join(tmpdir(), 'skiff-played-'));
    const { osRelease, manager, init, libc, packages, lacks = [] } = distribution;
    this.#program('bin/busybox', null);
    execFileSync('chroot', [this.root, '/bin/busybox', '--install', '-s', '/bin'], { timeout: 10_000 });
    this.#shell();
    for (const name of ['ldd', 'rpm', 'dpkg', ...lacks]) rmSync(join(this.root, 'bin', name), { force: true });
    this.write('etc/os-release', osRelease);
    this.#program('usr/bin/ldd', `echo '${libc === 'musl' ? 'musl libc (x86_64)' : 'ldd (GNU libc) 2.39'}'; exit 1`);
    if (libc === 'glibc' && !lacks.includes('libstdc++.so.6')) this.write('usr/lib64/libstdc++.so.6', '');
    this.write('var/played/log', '');
    for (const [name, files] of Object.entries(packages))
      for (const [path, content] of Object.entries(files)) this.write(`var/played/packages/${name}/${path}`, content);
    this.#program(`usr/bin/${manager}`, `${playedInstall}\n${managers[manager]}`);
    if (init === 'systemd') {
      mkdirSync(join(this.root, 'run/systemd/system'), { recursive: true });
      this.#program(
        'usr/bin/systemctl',
        'echo "systemctl $*" >>/var/played/log; case "$*" in *is-active*) exit 3 ;; esac',
      );
    }
    if (init === 'openrc') {
      mkdirSync(join(this.root, 'run/openrc'), { recursive: true });
      mkdirSync(join(this.root, 'etc/init.d'), { recursive: true });
      for (const name of ['rc-service', 'rc-update'])
        this.#program(`sbin/${name}`, `echo "${name} $*" >>/var/played/log; case "$*" in *status*) exit 3 ;; esac`);
    }
    for (const folder of ['dev', 'proc', 'tmp', 'etc/systemd/system'])
      mkdirSync(join(this.root, folder), { recursive: true });
  }

  /** Relative to its root. */
  write(path: string, content: string): void {
    const file = join(this.root, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
  }

  override run(command: string, options: RunOptions): Promise<CommandResult> {
    return super.run(
      `exec env -i PATH=/sbin:/bin:/usr/bin chroot ${this.root} /bin/sh -c ${shellQuote(command)}`,
      options,
    );
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  /** Not busybox's, which finds busybox's programs wherever they are not. */
  #shell(): void {
    const libraries = execFileSync('ldd', ['/bin/dash'], { encoding: 'utf8', timeout: 10_000 }).match(/\/\S+/g) ?? [];
    rmSync(join(this.root, 'bin/sh'));
    for (const [from, to] of [['/bin/dash', '/bin/sh'], ...libraries.map((path) => [path, path])] as const) {
      mkdirSync(dirname(join(this.root, to)), { recursive: true });
      copyFileSync(from, join(this.root, to));
    }
  }

  #program(path: string, script: string | null): void {
    this.write(path, script === null ? '' : `#!/bin/sh\n${script}\n`);
    if (script === null) copyFileSync('/bin/busybox', join(this.root, path));
    chmodSync(join(this.root, path), 0o755);
  }
}

/** `put WORDS`: puts the files of packages in place; fails with the name of the first that there is not, as `name` or with less than the wanted `name>=major`. */
const playedInstall = `
echo "$(basename "$0") $*" >>/var/played/log
words=
for word in "$@"; do case $word in -*|install|add|update) ;; *) words="$words $word" ;; esac; done
find_package() {
  name=\${1%%>=*}
  wanted=\${1#"$name"}
  for folder in /var/played/packages/"$name" /var/played/packages/"$name"=*; do
    [ -d "$folder" ] || continue
    version=\${folder##*=}
    [ -z "$wanted" ] || [ "\${version%%.*}" -ge "\${wanted#>=}" ] || continue
    echo "$folder"
    return 0
  done
  return 1
}
put() {
  for word in $words; do find_package "$word" >/dev/null || { missing=$word; return 1; }; done
  for word in $words; do
    folder=$(find_package "$word")
    (cd "$folder" && find . -type f) | while read -r file; do
      mkdir -p "/$(dirname "$file")" && cp "$folder/$file" "/$file" && chmod 0755 "/$file"
    done
  done
}
has() { case " $all " in *" $1 "*) return 0 ;; esac; return 1; }
all="$*"`;

/** What each says and how it ends, as it was recorded of the real one. */
const managers = {
  'apt-get': `
if has update; then : >/var/played/lists; exit 0; fi
[ "$DEBIAN_FRONTEND" = noninteractive ] && has -y || { echo 'E: Aborted: nobody answers' >&2; exit 1; }
words=$(echo "$words" | sed 's/DPkg::Lock::Timeout=300//')
[ -e /var/played/lists ] && put || { echo "E: Unable to locate package $missing" >&2; exit 100; }`,
  dnf: `
has -y || { echo 'Operation aborted.' >&2; exit 1; }
put || { echo "Error: Unable to find a match: $missing" >&2; exit 1; }`,
  apk: `
put || { printf 'ERROR: unable to select packages:\\n  %s (no such package):\\n    required by: world[%s]\\n' "$missing" "$missing" >&2; exit 1; }`,
  pacman: `
has -S || { echo 'error: lists are not to be made newer without an upgrade' >&2; exit 1; }
has --noconfirm || { echo 'error: nobody answers' >&2; exit 1; }
put || { echo "error: target not found: $missing" >&2; exit 1; }`,
  zypper: `
has --non-interactive || { echo 'nobody answers' >&2; exit 4; }
put || { echo "No provider of '$missing' found." >&2; exit 104; }`,
  none: 'exit 1',
} as const;
