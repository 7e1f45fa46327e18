import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { resolve } from 'node:path';
import { flag } from '../../flags/flag.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { machinePlace, reached } from './place.ts';

/** By sshfs, as docker-machine does it. The other direction, folders of this computer in containers, needs no verb: see `share`. */
export const mount = defineVerb({
  usage: '[OPTIONS] MACHINE:PATH [PATH]',
  summary: 'Mount a folder of a machine on this computer, by sshfs',
  details: 'Folders of this computer are shared with machines without it: skiff machine share',
  flags: { unmount: flag.switch({ short: 'u', help: 'Unmount it again' }) },
  min: 1,
  max: 2,
  offers: ['machine', 'file'],
  async run({ flags, args: [source = '', where], context }) {
    const place = machinePlace(source);
    if (place === null) throw new CommandError(`Name the folder as MACHINE:PATH, not ${source}`);
    const target = resolve(context.workingDir, where ?? place.path);
    if (flags.unmount) return await unmount(target, context);
    const ssh = reached(await (await context.machines()).inspect(place.machine));
    await mkdir(target, { recursive: true });
    const options = [
      ...['IdentitiesOnly=yes', 'StrictHostKeyChecking=yes', 'reconnect', 'ServerAliveInterval=15'],
      ...[`IdentityFile=${ssh.identityFile}`, `UserKnownHostsFile=${ssh.knownHostsFile}`],
    ];
    const host = ssh.host.includes(':') ? `[${ssh.host}]` : ssh.host;
    const words = [
      `${place.user ?? ssh.user}@${host}:${place.path}`,
      target,
      '-p',
      String(ssh.port),
      '-F',
      '/dev/null',
    ];
    return await run(context, {
      program: 'sshfs',
      words: [...words, ...options.flatMap((option) => ['-o', option])],
      missing: 'sshfs is not installed: install the package sshfs (on a Mac: macFUSE and sshfs)',
    });
  },
});

async function unmount(target: string, context: Context): Promise<number> {
  const missing = 'fusermount3 is not installed: install the package fuse3';
  if (context.platform === 'darwin') return await run(context, { program: 'umount', words: [target], missing });
  return await run(context, { program: 'fusermount3', words: ['-u', target], missing });
}

function run(
  { workingDir }: Context,
  of: { readonly program: string; readonly words: readonly string[]; readonly missing: string },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(of.program, of.words, { stdio: 'inherit', cwd: workingDir });
    child.once('error', (cause) => reject(new CommandError(of.missing, { cause })));
    child.once('exit', (code) => resolve(code ?? 130));
  });
}
