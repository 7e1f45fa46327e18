/**
 * The name server: answers the questions of all containers of an engine, and goes on doing so while skiffd is restarted or
 * gone. Started by skiffd in a session of its own; says `ready` on its stdout when it listens.
 */
import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { NameServerProcess } from './name-server-process.ts';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      socket: { type: 'string' },
      build: { type: 'string' },
      'resolv-conf': { type: 'string' },
      'idle-ms': { type: 'string' },
    },
  });
  const { socket, build } = values;
  if (socket === undefined || build === undefined)
    throw new Error('usage: dns --socket PATH --build BUILD [--resolv-conf FILE] [--idle-ms MS]');
  process.on('SIGHUP', () => undefined);
  process.umask(0o077);
  const server = new NameServerProcess({
    build,
    resolvConf: values['resolv-conf'] ?? '/etc/resolv.conf',
    idleMs: Number(values['idle-ms'] ?? 10_000),
    onEnd: () => {
      rmSync(socket, { force: true });
      process.exit(0);
    },
  });
  await server.listen(socket);
  process.stdout.write('ready\n');
}

// No top-level await: a release is bundled as CommonJS.
void main();
