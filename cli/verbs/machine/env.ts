import { basename } from 'node:path';
import { flag } from '../../flags/flag.ts';
import { writeLines } from '../../report.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';
import { chosenMachine } from './chosen.ts';

/**
 * How a shell sets and unsets variables, and evaluates the output of a command. The engine is reached by a local socket, so
 * what docker-machine set for TLS is taken away: left over from another machine, it would make docker fail.
 */
interface Shell {
  readonly set: (name: string, value: string) => string;
  readonly unset: (name: string) => string;
  readonly comment: string;
  readonly evaluate: (command: string) => string;
}

const posix: Shell = {
  set: (name, value) => `export ${name}="${value}"`,
  unset: (name) => `unset ${name}`,
  comment: '#',
  evaluate: (command) => `eval $(${command})`,
};

const shells: Readonly<Record<string, Shell>> = {
  fish: {
    set: (name, value) => `set -gx ${name} "${value}";`,
    unset: (name) => `set -e ${name};`,
    comment: '#',
    evaluate: (command) => `eval (${command})`,
  },
  powershell: {
    set: (name, value) => `$Env:${name} = "${value}"`,
    unset: (name) => `Remove-Item Env:\\${name} -ErrorAction SilentlyContinue`,
    comment: '#',
    evaluate: (command) => `& ${command} | Invoke-Expression`,
  },
  cmd: {
    set: (name, value) => `SET ${name}=${value}`,
    unset: (name) => `SET ${name}=`,
    comment: 'REM',
    evaluate: (command) => `@FOR /f "tokens=*" %i IN ('${command}') DO @%i`,
  },
  tcsh: {
    set: (name, value) => `setenv ${name} "${value}";`,
    unset: (name) => `unsetenv ${name};`,
    comment: '#',
    evaluate: (command) => `eval \`${command}\``,
  },
  emacs: {
    set: (name, value) => `(setenv "${name}" "${value}")`,
    unset: (name) => `(setenv "${name}" nil)`,
    comment: ';;',
    evaluate: (command) => `(with-temp-buffer (shell-command "${command}" (current-buffer)) (eval-buffer))`,
  },
};

const ofTls = ['DOCKER_TLS_VERIFY', 'DOCKER_CERT_PATH'];
const ours = ['DOCKER_HOST', 'DOCKER_MACHINE_NAME'];

export const env = defineVerb({
  usage: '[OPTIONS] [NAME]',
  summary: 'Display the commands to set up the environment for docker clients',
  flags: {
    shell: flag.text({
      help: 'Force environment to be configured for a specified shell: fish, cmd, powershell, tcsh, emacs, bash',
    }),
    unset: flag.switch({ short: 'u', help: 'Unset variables instead of setting them' }),
  },
  max: 1,
  missing: ['swarm', 'no-proxy'],
  async run({ flags, args: [name], context }) {
    const shellName = flags.shell ?? ownShell(context);
    const shell = shells[shellName] ?? posix;
    const option = flags.shell === undefined ? '' : ` --shell ${flags.shell}`;
    if (flags.unset) {
      if (name !== undefined) throw new CommandError('Error: Expected no machine name when the -u flag is present');
      await writeLines(context.stdout, [
        ...[...ofTls, ...ours].map(shell.unset),
        ...usageHint(shell, `skiff machine env${option} -u`),
      ]);
      return 0;
    }
    const machine = await chosenMachine(await context.machines(), name);
    if (machine.state !== 'running') {
      throw new CommandError(
        `Error checking machine "${machine.name}": it is not running. Start it with: skiff machine start ${machine.name}`,
      );
    }
    await writeLines(context.stdout, [
      ...ofTls.map(shell.unset),
      shell.set('DOCKER_HOST', machine.dockerHost),
      shell.set('DOCKER_MACHINE_NAME', machine.name),
      ...usageHint(shell, `skiff machine env${option} ${machine.name}`),
    ]);
    return 0;
  },
});

function usageHint(shell: Shell, command: string): string[] {
  return [`${shell.comment} Run this command to configure your shell:`, `${shell.comment} ${shell.evaluate(command)}`];
}

function ownShell({ environment, platform }: Context): string {
  const shell = environment['SHELL'];
  if (shell) return basename(shell);
  return platform === 'win32' ? 'powershell' : 'sh';
}
