#!/usr/bin/env -S node --
// Runs main.ts by a Node that can: this one when it is new enough, else the one that Skiff brings along. Plain JavaScript that
// Node 20 understands. Started with `--`, else Node would take `skiff run --env-file` for its own flag.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const self = fileURLToPath(import.meta.url);
const checkout = dirname(dirname(self));

// Older ones strip no types, or know no `using`.
if (Number(process.versions.node.split('.')[0]) >= 24) {
  // Stripping types costs more than everything else that `skiff ps` does: 0.2 s of processor time become 0.08 s.
  nodeModule.enableCompileCache(join(checkout, 'node_modules', '.cache', 'skiff'));
  await import('./main.ts');
} else {
  runByOwnNode();
}

function runByOwnNode() {
  const own = join(checkout, 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!existsSync(own)) {
    const message = `needs Node.js 24, this is ${process.versions.node}. Run "npm install" in ${checkout}, which brings it along.`;
    process.stderr.write(`skiff: ${message}\n`);
    process.exit(1);
  }
  const child = spawn(own, ['--', self, ...process.argv.slice(2)], { stdio: 'inherit' });
  const signals =
    process.platform === 'win32' ? ['SIGINT'] : ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP', 'SIGUSR1', 'SIGUSR2'];
  for (const signal of signals) {
    // Ctrl-c on a terminal reaches the child by itself; twice would be once too often.
    const isOfTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
    process.on(signal, () => isOfTerminal || child.kill(signal));
  }
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
