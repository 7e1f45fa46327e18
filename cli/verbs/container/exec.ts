import { readFileSync } from 'node:fs';
import type { CreateExecBody } from '../../../api/exec.ts';
import { EngineError } from '../../../client/errors.ts';
import { parseEnvironment, parseVariable } from '../../container-spec/environment.ts';
import { flag } from '../../flags/flag.ts';
import type { ValuesOf } from '../../flags/flag.ts';
import { describeError, writeLines } from '../../report.ts';
import { checkTerminal, followSize, joinContainer } from '../../terminal/join-container.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

const flags = {
  detach: flag.switch({ short: 'd', help: 'Detached mode: run command in the background' }),
  detachKeys: flag.text({ help: 'Override the key sequence for detaching a container' }),
  env: flag.list({ short: 'e', help: 'Set environment variables' }, parseVariable),
  envFile: flag.list({ help: 'Read in a file of environment variables', offers: 'file' }),
  interactive: flag.switch({ short: 'i', help: 'Keep STDIN open even if not attached' }),
  privileged: flag.switch({ help: 'Give extended privileges to the command' }),
  tty: flag.switch({ short: 't', help: 'Allocate a pseudo-TTY' }),
  user: flag.text({ short: 'u', help: 'Username or UID (format: "<name|uid>[:<group|gid>]")' }),
  workdir: flag.text({ short: 'w', help: 'Working directory inside the container' }),
};

export const exec = defineVerb({
  usage: '[OPTIONS] CONTAINER COMMAND [ARG...]',
  summary: 'Execute a command in a running container',
  flags,
  min: 2,
  stopAt: 'first-argument',
  offers: ['running-container', 'nothing'],
  examples: [
    ['-it web sh', 'A shell in a running container'],
    ['-u root -w /etc web cat hosts', 'One command, as root, in a folder'],
  ],
  async run({ flags: given, args: [container = '', ...command], context }) {
    const { engine } = context;
    const { Id: containerId } = await engine.containers.inspect(container);
    const join = { hasTerminal: given.tty, stdin: given.interactive && !given.detach, detachKeys: given.detachKeys };
    if (!given.detach) checkTerminal(context, join);
    const body = execBody(given, command, context);
    const id = await engine.exec.create(containerId, body);
    const consoleSize = body.ConsoleSize ? { ConsoleSize: body.ConsoleSize } : {};
    if (given.detach) {
      await engine.exec.startDetached(id, { Tty: given.tty, ...consoleSize });
      return 0;
    }
    const ran = await started(engine.exec.start(id, { Tty: given.tty, ...consoleSize }));
    using session = ran;
    using _size = given.tty ? followSize(context, (size) => engine.exec.resize(id, size)) : null;
    if ((await joinContainer(context, session, join)) === 'detached') {
      await writeLines(context.stderr, ['read escape sequence']);
      return 0;
    }
    const { ExitCode, Running } = await engine.exec.inspect(id);
    if (Running) throw new CommandError('the output of the command ended, and it still runs');
    return ExitCode ?? 0;
  },
});

function execBody(given: ValuesOf<typeof flags>, command: readonly string[], context: Context): CreateExecBody {
  const { stdout, environment } = context;
  const sources = { variables: environment, readFile: (path: string) => readFileSync(path, 'utf8') };
  let env: readonly string[];
  try {
    env = parseEnvironment(given, sources);
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error });
  }
  return {
    Cmd: command,
    AttachStdin: given.interactive && !given.detach,
    AttachStdout: !given.detach,
    AttachStderr: !given.detach,
    Tty: given.tty,
    Privileged: given.privileged,
    ...(env.length > 0 ? { Env: env } : {}),
    ...(given.user === undefined ? {} : { User: given.user }),
    ...(given.workdir === undefined ? {} : { WorkingDir: given.workdir }),
    ...(given.detachKeys === undefined ? {} : { DetachKeys: given.detachKeys }),
    ...(given.tty && stdout.isTTY ? { ConsoleSize: [stdout.rows, stdout.columns] as const } : {}),
  };
}

/** A program that is not there or cannot be run ends as a shell ends it: 127 and 126. */
async function started<T>(starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    const exitCode = /executable file not found|no such file or directory/.test(error.message)
      ? 127
      : /permission denied|is a directory/.test(error.message)
        ? 126
        : 1;
    throw new CommandError(describeError(error), { cause: error, exitCode });
  }
}
