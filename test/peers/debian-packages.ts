/**
 * Programs of Debian sid to test against, fetched by apt itself (so its signatures are checked) from the mirror that this
 * computer already uses, and unpacked beside the system instead of into it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

export interface WantedPackages {
  /** They are unpacked once, into `<cache>/peers/<name>`. */
  readonly cacheFolder: string;
  readonly name: string;
  /** Of Debian; default `sid`. */
  readonly suite?: string;
  readonly packages: readonly string[];
  /** A file of theirs, relative: when it is there, all of them are. */
  readonly proof: string;
}

/** Where skiff keeps what can be fetched again. */
export function userCache(): string {
  return (
    process.env['SKIFF_CACHE'] ?? path.join(process.env['XDG_CACHE_HOME'] ?? path.join(os.homedir(), '.cache'), 'skiff')
  );
}

/** Root folder of the unpacked packages. Throws when apt cannot have them. */
export function fetchPackages(wantedPackages: WantedPackages): string {
  const { cacheFolder, name, packages, proof, suite = 'sid' } = wantedPackages;
  const wanted = path.join(cacheFolder, 'peers', name);
  if (existsSync(path.join(wanted, proof))) return wanted;
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'peer-apt-'));
  try {
    for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc', 'root'])
      mkdirSync(path.join(scratch, name), { recursive: true });
    const sources = path.join(scratch, 'etc/sources.list');
    writeFileSync(
      sources,
      `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${debianMirror()} ${suite} main\n`,
    );
    const options = [
      `Dir::Etc::sourcelist=${sources}`,
      'Dir::Etc::sourceparts=/dev/null',
      `Dir::State=${scratch}/state`,
      `Dir::Cache=${scratch}/cache`,
      'Acquire::Languages=none',
      'APT::Sandbox::User=root',
      'Acquire::Check-Valid-Until=false',
    ];
    const apt = (...words: string[]): void => {
      execFileSync('apt-get', ['-q', ...options.flatMap((option) => ['-o', option]), ...words], {
        cwd: scratch,
        stdio: ['ignore', 'ignore', 'inherit'],
        timeout: 300_000,
      });
    };
    apt('update');
    apt('download', ...packages);
    for (const file of globSync('*.deb', { cwd: scratch }))
      execFileSync('dpkg', ['-x', path.join(scratch, file), path.join(scratch, 'root')]);
    mkdirSync(path.dirname(wanted), { recursive: true });
    const fresh = `${wanted}.${process.pid}`;
    rmSync(wanted, { recursive: true, force: true });
    execFileSync('cp', ['-a', path.join(scratch, 'root'), fresh]);
    renameSync(fresh, wanted);
    return wanted;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export interface WantedRoot {
  readonly cacheFolder: string;
  readonly suite: string;
  readonly packages: readonly string[];
  /** Lie in its `/srv/packages`, with all that they need, as the only source that its apt knows: it installs them without a network. */
  readonly sources: readonly string[];
}

/** Folder of a whole Debian system, made once by mmdebstrap. */
export function fetchRoot({ cacheFolder, suite, packages, sources }: WantedRoot): string {
  const wanted = path.join(cacheFolder, 'peers', `root-${suite}`);
  if (existsSync(wanted)) return wanted;
  mkdirSync(path.dirname(wanted), { recursive: true });
  const fresh = `${wanted}.${process.pid}`;
  const hook = `set -e
chroot "$1" apt-get clean
chroot "$1" apt-get install -qq -y --download-only --no-install-recommends ${sources.join(' ')} >/dev/null
mkdir -p "$1/srv/packages"
cd "$1/srv/packages"
mv "$1"/var/cache/apt/archives/*.deb .
for file in *.deb; do
  dpkg-deb --field "$file"
  echo "Filename: ./$file\nSize: $(stat -c %s "$file")\nSHA256: $(sha256sum "$file" | cut -d' ' -f1)\n"
done >Packages
echo force-unsafe-io >"$1/etc/dpkg/dpkg.cfg.d/test"
rm -f "$1"/etc/apt/sources.list.d/*
echo 'deb [trusted=yes] file:/srv/packages ./' >"$1/etc/apt/sources.list"`;
  const words = [
    '--variant=minbase',
    '--mode=root',
    '--quiet',
    `--include=${packages.join(',')}`,
    `--customize-hook=${hook}`,
  ];
  try {
    execFileSync('mmdebstrap', [...words, suite, fresh, debianMirror()], {
      stdio: ['ignore', 'ignore', 'inherit'],
      timeout: 500_000,
    });
    renameSync(fresh, wanted);
    return wanted;
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** The archive that apt on this computer uses for Debian itself. */
function debianMirror(): string {
  const lines = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI) $(SUITE) $(ORIGIN)'], {
    encoding: 'utf8',
  }).split('\n');
  const uri = lines.map((line) => line.split(' ')).find(([, , origin]) => origin === 'Debian')?.[0];
  if (uri === undefined) throw new Error("apt knows no Debian archive here: run 'apt-get update', then try again");
  return uri;
}
