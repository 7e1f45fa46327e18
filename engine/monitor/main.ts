/**
 * The monitor: the process that stays when skiffd goes. Started by skiffd in a session of its own; says `ready` on its
 * stdout when it listens; ends when it has had neither a container nor a connection for a while.
 */
import { rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Children } from '../kernel/children.ts';
import { processStartTicks } from '../kernel/pidfd.ts';
import { SealedPrograms } from '../kernel/sealed-program.ts';
import { systemClock } from '../model/time.ts';
import { MonitorRecords } from './records.ts';
import { MonitorServer } from './server.ts';

/** Nothing that a container does may take the kernel's wrath to the one that holds its streams. Containers set their own. */
const oomScoreAdjust = '-900';

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      folder: { type: 'string' },
      exits: { type: 'string' },
      name: { type: 'string' },
      build: { type: 'string' },
      'idle-ms': { type: 'string' },
    },
  });
  const { folder, exits, name, build } = values;
  if (folder === undefined || exits === undefined || name === undefined || build === undefined)
    throw new Error('usage: monitor --folder DIR --exits DIR --name NAME --build BUILD [--idle-ms MS]');
  // Whatever starts or stops skiffd may signal its group; a hangup of its terminal is none of ours.
  process.on('SIGHUP', () => undefined);
  lowerOomScore();
  process.umask(0o077);
  const socketPath = join(folder, `${name}.sock`);
  const logPath = join(folder, `${name}.log`);
  const server = new MonitorServer({
    build,
    parts: {
      crun: { children: new Children(), programs: new SealedPrograms() },
      records: new MonitorRecords(folder, exits),
      self: { pid: process.pid, startTicks: processStartTicks(process.pid) ?? 0 },
      now: systemClock(),
      report: (message) => process.stderr.write(`${new Date().toISOString()} ${message}\n`),
    },
    consolePathOf: (id) => join(folder, `${id.slice(0, 12)}.tty`),
    idleMs: Number(values['idle-ms'] ?? 10_000),
    onIdle: () => {
      void server[Symbol.asyncDispose]().then(() => {
        if (statSync(logPath, { throwIfNoEntry: false })?.size === 0) rmSync(logPath);
        process.exit(0);
      });
    },
  });
  await server.listen(socketPath);
  process.stdout.write('ready\n');
}

/** Not everyone may: root in a container of its own may lack the capability. */
function lowerOomScore(): void {
  try {
    writeFileSync('/proc/self/oom_score_adj', oomScoreAdjust);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== 'EACCES' && code !== 'EPERM') throw error;
  }
}

// No top-level await: a release is bundled as CommonJS, which starts faster.
void main();
