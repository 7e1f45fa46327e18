import { accessSync, readFileSync } from 'node:fs';
import { libc } from './kernel/libc.ts';
import { openNft } from './kernel/nft.ts';
import { checkRuntime, type RuntimeCheck } from './runtime/crun.ts';

/** `skiffd --check`: what this host has and lacks, a line each. Changes nothing. Returns the exit code: 1 when something is missing. */
export async function checkHost(tell: (line: string) => void): Promise<number> {
  const checks = [platform(), root(), fileSystem('overlay'), nftables(), busybox(), ...(await checkRuntime())];
  for (const { state, text } of checks) tell(`${state.padEnd('missing'.length)} ${text}`);
  return checks.every(({ state }) => state !== 'missing') ? 0 : 1;
}

function platform(): RuntimeCheck {
  const isLinux = process.platform === 'linux';
  return {
    state: isLinux ? 'ok' : 'missing',
    text: isLinux ? 'Linux' : `Linux: this is ${process.platform}; run the engine in a machine (skiff machine create)`,
  };
}

function root(): RuntimeCheck {
  const isRoot = process.getuid?.() === 0;
  return { state: isRoot ? 'ok' : 'missing', text: isRoot ? 'root' : 'root: run the engine with sudo' };
}

function fileSystem(name: string): RuntimeCheck {
  try {
    const isThere = readFileSync('/proc/filesystems', 'utf8')
      .split('\n')
      .some((line) => line.endsWith(`\t${name}`));
    return {
      state: isThere ? 'ok' : 'missing',
      text: isThere ? `file system ${name}` : `file system ${name}: run modprobe ${name}`,
    };
  } catch {
    return { state: 'missing', text: `file system ${name}: /proc/filesystems cannot be read` };
  }
}

function nftables(): RuntimeCheck {
  try {
    libc();
    using _nft = openNft();
    return { state: 'ok', text: 'nftables (libnftables)' };
  } catch (error) {
    return {
      state: 'missing',
      text: `nftables: install the package libnftables1 (${error instanceof Error ? error.message : String(error)})`,
    };
  }
}

function busybox(): RuntimeCheck {
  try {
    accessSync('/bin/busybox');
    return { state: 'ok', text: 'busybox, for the built-in image hello' };
  } catch {
    return { state: 'missing', text: 'busybox, for the built-in image hello: install the package busybox-static' };
  }
}
