/**
 * Set-up that needs nothing but the Node that the person has (20 or newer): the dependencies of package.json, among them
 * the Node 24 that everything else runs on, and on Debian the packages that a task needs. Plain JavaScript, since it runs
 * before anything that could read TypeScript is there.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianPackages } from './debian-packages.mjs';

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const stamp = path.join(root, 'node_modules/.skiff-lock');
const node24 = path.join(root, 'node_modules/node/bin', process.platform === 'win32' ? 'node.exe' : 'node');

/** Installs what package-lock.json names when it is missing or of another lock. Quick when there is nothing to do. */
export function ensureDependencies() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) fail(`Skiff needs Node 20 or newer to set itself up; this is ${process.versions.node}.`);
  const lock = createHash('sha256')
    .update(readFileSync(path.join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(node24) && existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  console.error('Installing dependencies (npm ci) …');
  const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (npm.status !== 0) fail('npm ci failed: its messages stand above.');
  if (!existsSync(node24))
    fail('The package "node" did not bring its program: run "npm rebuild node", then try again.');
  writeFileSync(stamp, lock);
}

/**
 * Installs the Debian packages of `task` that are missing: as root, or with sudo where it asks for no password. Elsewhere
 * it says exactly what to run. Other systems are left alone: what they lack is told by whoever needs it.
 * @param {'start' | 'test' | 'bench'} task
 * @returns {boolean} whether all of them are there now
 */
export function ensureDebianPackages(task) {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/dpkg-query')) return false;
  const missing = missingPackages(debianPackages(task));
  if (missing.length === 0) return true;
  const prefix = process.getuid?.() === 0 ? [] : hasPasswordlessSudo() ? ['sudo', '-n'] : null;
  if (prefix === null) {
    console.error(`These Debian packages are missing. Please run:\n\n  sudo apt-get install ${missing.join(' ')}\n`);
    return false;
  }
  console.error(`Installing Debian packages: ${missing.join(' ')} …`);
  const apt = (...words) => {
    const [program = 'apt-get', ...args] = [...prefix, 'apt-get', '-q', ...words];
    return spawnSync(program, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      timeout: 900_000,
    });
  };
  const install = () => apt('install', '-y', '--no-install-recommends', ...missing).status === 0;
  if (!install()) {
    // An old package list names versions that the archive has replaced.
    apt('update');
    if (!install()) fail(`apt-get could not install ${missing.join(' ')}: its messages stand above.`);
  }
  return true;
}

/** Runs a TypeScript program under Node 24 and takes over its exit code. */
export function runProgram(program, args) {
  const env = {
    ...process.env,
    PATH: `${path.join(root, 'node_modules/.bin')}${path.delimiter}${process.env.PATH ?? ''}`,
  };
  const child = spawnSync(node24, ['--disable-warning=ExperimentalWarning', path.join(root, program), ...args], {
    stdio: 'inherit',
    env,
  });
  process.exitCode = child.status ?? (child.signal === 'SIGINT' ? 130 : 1);
}

function missingPackages(names) {
  const query = spawnSync('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n', ...names], {
    encoding: 'utf8',
  });
  const installed = new Set(
    query.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return names.filter((name) => !installed.has(name));
}

function hasPasswordlessSudo() {
  try {
    execFileSync('sudo', ['-n', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
