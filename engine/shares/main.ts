/**
 * The program of shared folders: mounts what the user's computer shares, and asks it for files over a stream that skiffd hands through. Started
 * by skiffd in a session of its own, for containers have the mounts and go on while skiffd is restarted; says `ready` when it listens.
 */
import { parseArgs } from 'node:util';
import { ShareProgram } from './share-program.ts';

async function main(): Promise<void> {
  // Two threads read each mount's device, and a change that is announced takes one more: all wait in the kernel.
  process.env['UV_THREADPOOL_SIZE'] = '48';
  const { values } = parseArgs({ options: { folder: { type: 'string' }, owners: { type: 'string' } } });
  const { folder, owners } = values;
  if (folder === undefined || owners === undefined) throw new Error('usage: shares --folder FOLDER --owners FILE');
  process.on('SIGHUP', () => undefined);
  process.umask(0o077);
  const program = new ShareProgram({
    folder,
    ownersFile: owners,
    report: (message) => process.stderr.write(`${message}\n`),
    // The answer goes out first; what is still mounted ends with this process.
    onEnd: () => setImmediate(() => process.exit(0)),
  });
  await program.listen();
  process.stdout.write('ready\n');
}

// No top-level await: a release is bundled as CommonJS.
void main();
