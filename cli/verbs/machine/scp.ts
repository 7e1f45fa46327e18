import { spawn } from 'node:child_process';
import type { Machine, Machines } from '../../../provisioners/machines.ts';
import { flag } from '../../flags/flag.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import { machinePlace, reached } from './place.ts';

/** OpenSSH's own scp, told where the machine is and which key it has: as docker-machine does it. */
export const scp = defineVerb({
  usage: '[OPTIONS] [MACHINE:]PATH [MACHINE:]PATH',
  summary: 'Copy files between this computer and machines, or from machine to machine',
  flags: {
    quiet: flag.switch({ short: 'q', help: 'No progress' }),
    recursive: flag.switch({ short: 'r', help: 'Copy folders with all that is in them' }),
  },
  min: 2,
  max: 2,
  offers: ['file', 'file'],
  missing: ['delta'],
  async run({ flags, args, context }) {
    const machines = await context.machines();
    const places = await Promise.all(args.map((text) => placeOf(machines, text)));
    const remote = places.flatMap(({ ssh }) => (ssh === null ? [] : [ssh]));
    if (remote.length === 0) throw new CommandError('Neither path is in a machine: name it as MACHINE:PATH');
    const words = [
      // The user's own configuration is for the user's own hosts.
      ...['-F', 'none', '-o', 'IdentitiesOnly=yes', '-o', 'StrictHostKeyChecking=yes'],
      ...['-o', `UserKnownHostsFile=${[...new Set(remote.map((ssh) => ssh.knownHostsFile))].join(' ')}`],
      ...[...new Set(remote.map((ssh) => ssh.identityFile))].flatMap((file) => ['-i', file]),
      // Through this computer: machines do not know each other.
      ...(remote.length === 2 ? ['-3'] : []),
      ...(flags.recursive ? ['-r'] : []),
      ...(flags.quiet ? ['-q'] : []),
      ...places.map(({ word }) => word),
    ];
    return await new Promise<number>((resolve, reject) => {
      const child = spawn('scp', words, { stdio: 'inherit', cwd: context.workingDir });
      child.once('error', (cause) =>
        reject(new CommandError('scp is not installed: install OpenSSH’s client programs', { cause })),
      );
      child.once('exit', (code) => resolve(code ?? 130));
    });
  },
});

interface Place {
  readonly word: string;
  readonly ssh: Machine['ssh'];
}

async function placeOf(machines: Machines, text: string): Promise<Place> {
  const place = machinePlace(text);
  if (place === null) return { word: text, ssh: null };
  const ssh = reached(await machines.inspect(place.machine));
  const host = ssh.host.includes(':') ? `[${ssh.host}]` : ssh.host;
  // In a URI a relative path, which counts from the home there, stands without a slash of its own.
  const path = place.path.split('/').map(encodeURIComponent).join('/');
  return { word: `scp://${place.user ?? ssh.user}@${host}:${ssh.port}/${path}`, ssh };
}
