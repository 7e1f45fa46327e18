import type { CreateContainerAnswer, CreateContainerBody } from '../../../api/containers.ts';
import { familiarImageName, parseImageName, withDefaultTag } from '../../../api/image-names.ts';
import type { ImageName } from '../../../api/image-names.ts';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { EngineError, messageOf } from '../../../client/errors.ts';
import { attachedStreams, createBody } from '../../container-spec/create-body.ts';
import { missingRunFlags, runFlags } from '../../container-spec/run-flags.ts';
import type { RunFlags } from '../../container-spec/run-flags.ts';
import { describeError, writeLines } from '../../report.ts';
import { runContainer } from '../../terminal/run-container.ts';
import { checkTerminal } from '../../terminal/join-container.ts';
import { CommandError } from '../../usage-error.ts';
import { defineVerb } from '../../verb.ts';
import type { Context } from '../../verb.ts';

/** Exit code of `run` when it was Skiff and not the program in the container that failed. */
const ownFailure = 125;

export const run = defineVerb({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create and run a new container from an image',
  flags: runFlags,
  min: 1,
  offers: ['image', 'nothing'],
  examples: [
    ['--rm -it alpine sh', 'A shell in a new container that is gone afterwards'],
    [
      '-d --name web -p 8080:80 -v data:/srv nginx',
      'A server in the background, reached at localhost:8080, with a volume',
    ],
    [
      '-d --name db --network backend -e POSTGRES_PASSWORD=secret postgres',
      'In a network of your own, found there as "db"',
    ],
    ['-m 512m --cpus 1.5 --restart unless-stopped worker', 'With limits, and started again whenever it ends'],
  ],
  stopAt: 'first-argument',
  missing: missingRunFlags,
  async run({ flags, args, context }) {
    try {
      return await runImage(flags, args, context);
    } catch (error) {
      const isOwn = error instanceof CommandError && error.exitCode !== ownFailure;
      throw isOwn ? error : failureOf('run', error);
    }
  },
});

export const create = defineVerb({
  usage: '[OPTIONS] IMAGE [COMMAND] [ARG...]',
  summary: 'Create a new container',
  flags: runFlags,
  min: 1,
  offers: ['image', 'nothing'],
  stopAt: 'first-argument',
  missing: missingRunFlags,
  async run({ flags, args, context }) {
    try {
      await writeLines(context.stdout, [await createContainer(flags, args, context)]);
      return 0;
    } catch (error) {
      const isOfFlags = error instanceof CommandError && error.exitCode === ownFailure;
      throw isOfFlags ? failureOf('create', error) : error;
    }
  },
});

function failureOf(verb: 'run' | 'create', error: unknown): CommandError {
  const message = `skiff: ${describeError(error)}\n\nRun 'skiff ${verb} --help' for more information`;
  return new CommandError(message, { cause: error, exitCode: exitCodeOfFailure(error) });
}

async function runImage(flags: RunFlags, args: readonly string[], context: Context): Promise<number> {
  if (flags.detach && flags.attach.length > 0) {
    throw new CommandError('conflicting options: cannot specify both --attach and --detach');
  }
  const streams = attachedStreams(flags);
  const join = { hasTerminal: flags.tty, stdin: streams.stdin, detachKeys: flags.detachKeys };
  if (!flags.detach) checkTerminal(context, join);
  const id = await createContainer(flags, args, context);
  if (flags.detach) {
    await context.engine.containers.start(id);
    await writeLines(context.stdout, [id]);
    return 0;
  }
  return runContainer(context, id, {
    ...join,
    stdout: streams.stdout,
    stderr: streams.stderr,
    isRemovedAtExit: flags.rm,
    forwardsSignals: flags.sigProxy,
  });
}

async function createContainer(flags: RunFlags, args: readonly string[], context: Context): Promise<string> {
  const pullPolicy = pullPolicyOf(flags);
  if (flags.cidfile !== undefined && existsSync(flags.cidfile)) {
    const message = `container ID file found, make sure the other container isn't running or delete ${flags.cidfile}`;
    throw new Error(message);
  }
  const body = bodyOf(flags, args, context);
  const image = nameToPull(args[0] ?? '');
  if (pullPolicy === 'always' && image !== null) await pull(image, flags, context);
  const { Id, Warnings } = await createOrPull(body, image, flags, context);
  for (const warning of Warnings ?? []) await writeLines(context.stderr, [`WARNING: ${warning}`]);
  if (flags.cidfile !== undefined) writeFileSync(flags.cidfile, Id);
  return Id;
}

async function createOrPull(
  body: CreateContainerBody,
  image: ImageName | null,
  flags: RunFlags,
  context: Context,
): Promise<CreateContainerAnswer> {
  const create = (): Promise<CreateContainerAnswer> =>
    context.engine.containers.create(body, { name: flags.name, platform: flags.platform });
  try {
    return await create();
  } catch (error) {
    const isMissing =
      error instanceof EngineError && error.statusCode === 404 && error.message.startsWith('No such image');
    if (!isMissing || image === null || pullPolicyOf(flags) !== 'missing') throw error;
    await writeLines(context.stderr, flags.quiet ? [] : [`Unable to find image '${familiarImageName(image)}' locally`]);
    await pull(image, flags, context);
    return await create();
  }
}

/** Null for a whole id: that is no name, and nothing that a registry could be asked for. Throws RangeError for what is no name. */
function nameToPull(image: string): ImageName | null {
  if (/^(?:sha256:)?[0-9a-f]{64}$/.test(image)) return null;
  return withDefaultTag(parseImageName(image));
}

async function pull(image: ImageName, flags: RunFlags, context: Context): Promise<void> {
  // What only pulling needs is loaded when there is something to pull.
  const { pullForContainer } = await import('./pull-for-container.ts');
  await pullForContainer(context, image, flags);
}

function bodyOf(flags: RunFlags, args: readonly string[], context: Context): ReturnType<typeof createBody> {
  try {
    return createBody(flags, args, {
      variables: context.environment,
      readFile: (path) => readFileSync(path, 'utf8'),
      workingDir: context.workingDir,
      consoleSize: context.stdout.isTTY ? [context.stdout.rows, context.stdout.columns] : null,
    });
  } catch (error) {
    throw new CommandError(describeError(error), { cause: error, exitCode: ownFailure });
  }
}

function pullPolicyOf({ pull = 'missing' }: RunFlags): 'always' | 'missing' | 'never' {
  if (pull === 'always' || pull === 'missing' || pull === 'never') return pull;
  const message = `invalid pull option: '${pull}': must be one of "always", "missing" or "never"`;
  throw new CommandError(message, { exitCode: ownFailure });
}

/** docker's: 127 when the program is not there, 126 when it cannot be executed, else 125; read from the engine's words. */
function exitCodeOfFailure(error: unknown): number {
  const message = messageOf(error);
  if (!(error instanceof EngineError)) return ownFailure;
  if (/executable file not found|no such file or directory|system cannot find the file/.test(message)) return 127;
  return /permission denied|is a directory/.test(message) ? 126 : ownFailure;
}
